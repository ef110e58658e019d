// payproc in a shop's page: opens a pay link, and says how it ended. No key belongs in a browser, and none is used here.
//
//   <script src="payproc.js"></script>
//   button.onclick = async () => {
//     const end = await payproc.open(payUrl);       // the `pay_url` that your server got from payproc
//     if (end.status === "paid") location = "/thanks";
//   };
//
// What arrives here proves nothing: anybody can call a function of a page. Let goods go by a webhook, or by asking
// payproc from your server.
(function (scope) {
  "use strict";

  const EVERY_MS = 2000;
  const LATER_MS = 5000; // after a minute: whoever types an MPIN has done so by then
  const ANSWER_WITHIN_MS = 10000;
  // Of an order, and of a payment.
  const ENDED = new Set(["paid", "expired", "closed", "refunded", "completed", "failed", "cancelled"]);

  const pause = (ms) => new Promise((go) => setTimeout(go, ms));

  // How the link stands: `{status, …}` as its page says it. Throws where it cannot be asked now.
  async function status(payUrl) {
    const address = new URL(payUrl);
    const path = `${address.pathname.replace(/\/$/, "")}/status`;
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(), ANSWER_WITHIN_MS);
    try {
      const answer = await fetch(new URL(path, address), { credentials: "omit", signal: giveUp.signal });
      if (answer.status === 404) return { status: "unknown" };
      if (!answer.ok) throw new Error(`the pay page answered ${answer.status}`);
      return await answer.json();
    } finally {
      clearTimeout(timer);
    }
  }

  // Follow a link until it has ended; `isOver` may give up earlier, such as when its window was closed.
  async function follow(payUrl, { onChange = () => {}, isOver = () => false } = {}) {
    const began = Date.now();
    let before;
    for (;;) {
      const over = isOver();
      // Asked once more after the window was closed: it may have been closed because it was paid.
      const now = await status(payUrl).catch(() => undefined);
      if (now && now.status !== before) onChange(now);
      before = now ? now.status : before;
      if (now && (ENDED.has(now.status) || now.status === "unknown")) return now;
      if (over) return { status: "left", last: before };
      await pause(Date.now() - began < 60000 ? EVERY_MS : LATER_MS);
    }
  }

  // Open a pay link in a window of its own, and say how it ended: `paid`, `expired`, `closed`, …, or `left` where its
  // window was closed before. To be called by a click, or browsers open nothing; then the page itself goes there.
  async function open(payUrl, options = {}) {
    const address = new URL(payUrl);
    if (!/^https?:$/.test(address.protocol)) throw new TypeError("a pay link begins with https://");
    // The pay page never learns of us, and we can still see whether its window is open.
    const page = scope.open(address.href, "payproc", "popup,width=480,height=760");
    if (!page) {
      scope.location.assign(address.href);
      return { status: "redirected" };
    }
    const end = await follow(address.href, { ...options, isOver: () => page.closed });
    if (end.status !== "left" && !options.keepOpen) page.close();
    return end;
  }

  scope.payproc = Object.freeze({ open, follow, status });
})(window);
