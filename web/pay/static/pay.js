// The pay pages: post the wallet's form once, and follow the payment or the order. Without this file its buttons do the same.

const CLOSELY_MS = 2_000;
const STILL_MS = 5_000; // after a minute: a customer who types an MPIN has done so by then
const LOOSELY_MS = 10_000;
const LONGEST_PAUSE_MS = 20_000;
const ANSWER_WITHIN_MS = 10_000;
// A post that has led nowhere for this long has failed, and its button must work again.
const LEFT_WITHIN_MS = 15_000;

const trouble = document.getElementById("trouble");
const news = document.getElementById("news");
let panel = document.getElementById("panel");

// --- The form ---------------------------------------------------------------------------------------------------

// One for each payment; on the page between two of the wallet's, one for each token of the wallet's.
const MARK = `payproc posted ${location.pathname}${"statusUrl" in panel.dataset ? "" : location.search}`;
const UNKNOWABLE = "unknowable";
// Calling a payment off and beginning one are forms as well, and nothing may post those but their buttons.
const WAY_OUT = "form.way";
const walletForm = (box) => box.querySelector(`form:not(${WAY_OUT})`);
let leaving = false;

function mark() {
  try {
    return sessionStorage.getItem(MARK);
  } catch {
    return UNKNOWABLE;
  }
}

function setMark() {
  try {
    sessionStorage.setItem(MARK, "yes");
    return mark() !== null;
  } catch {
    return false;
  }
}

function show(visit) {
  const parts = panel.querySelectorAll("[data-visit]");
  for (const part of parts) part.hidden = !part.dataset.visit.split(" ").includes(visit);
  if (parts.length) panel.className = `panel ${visit}`;
  tell();
}

function whenSeen(act) {
  if (document.hidden) document.addEventListener("visibilitychange", act, { once: true });
  else act();
}

function postOnce(form) {
  // Where we cannot remember having posted we do not: coming back would post again, without end.
  if (leaving || !setMark()) return;
  leave();
  // A field may be called "submit", and would then be found instead.
  HTMLFormElement.prototype.submit.call(form);
}

function leave() {
  leaving = true;
  show("leaving");
  setTimeout(notLeft, LEFT_WITHIN_MS);
}

function arrive(byHistory) {
  leaving = false;
  const form = walletForm(panel);
  if (!form || panel.classList.contains("returned")) return;
  const before = mark();
  if (before === null) whenSeen(() => postOnce(form));
  else if (before !== UNKNOWABLE) show(byHistory ? "again" : "returned");
}

document.addEventListener("submit", (event) => {
  if (event.target.matches(WAY_OUT)) return;
  if (leaving) {
    event.preventDefault();
    return;
  }
  setMark();
  leave();
});

function notLeft() {
  if (!leaving) return;
  leaving = false;
  show("again");
}

// A wallet that redirects to a host we do not allow: the browser stays here, and says so to nobody else.
document.addEventListener("securitypolicyviolation", (event) => {
  if (event.effectiveDirective === "form-action") notLeft();
});

// --- The payment ------------------------------------------------------------------------------------------------

let began = Date.now();
let changesAt = Infinity;
let failures = 0;
let asking = false;
let timer;

const standing = (...words) => words.join(" ").trim();

async function ask(url, kind) {
  const answer = await fetch(url, {
    headers: { Accept: kind },
    cache: "no-store",
    signal: AbortSignal.timeout?.(ANSWER_WITHIN_MS),
  });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer;
}

async function look() {
  clearTimeout(timer);
  if (asking || document.hidden || !isFollowed()) return;
  asking = true;
  try {
    await learn();
    failures = 0;
    trouble.textContent = "";
  } catch {
    failures += 1;
    // One lost answer is nothing to speak of.
    if (failures > 1) trouble.textContent = trouble.dataset.words;
  }
  asking = false;
  timer = setTimeout(look, pause());
}

const isFollowed = () => ["closely", "loosely"].includes(panel.dataset.follow);

function ofPayment(said) {
  const action = said.next_action ?? {};
  const aside = said.mismatch ? "mismatch" : said.set_aside ? "set_aside" : "";
  return standing(said.status, action.type ?? "", action.token ?? "", aside);
}

const ofOrder = (said) => standing(said.status, said.payment_status ?? "", said.state);

async function learn() {
  const said = await (await ask(panel.dataset.statusUrl, "application/json")).json();
  const now = "state" in said ? ofOrder(said) : ofPayment(said);
  if (now !== panel.dataset.standing.trim() || Date.now() > changesAt) await renew();
}

async function renew() {
  const text = await (await ask(location.href, "text/html")).text();
  const drawn = new DOMParser().parseFromString(text, "text/html");
  const fresh = drawn.getElementById("panel");
  if (!fresh) throw new Error("not the page");
  if (walletForm(fresh) && !walletForm(panel)) {
    // This page's policy lets nothing be posted; the one that comes with the form does.
    location.reload();
    return;
  }
  const wasInside = panel.contains(document.activeElement);
  fresh.classList.add("fresh");
  panel.replaceWith(fresh);
  panel = fresh;
  document.title = drawn.title;
  if (wasInside) panel.querySelector("h1").focus();
  tell();
  enter();
}

function pause() {
  const usual =
    panel.dataset.follow === "loosely" ? LOOSELY_MS : Date.now() - began < 60_000 ? CLOSELY_MS : STILL_MS;
  return failures ? Math.min(usual * 2 ** failures, LONGEST_PAUSE_MS) : usual;
}

function tell() {
  if (!news) return;
  const seen = [...panel.querySelectorAll("h1, p")].filter((part) => !part.closest("[hidden]"));
  news.textContent = seen.map((part) => part.textContent.trim()).join(" ");
}

// --- The way back to the shop -----------------------------------------------------------------------------------

function countDown(box) {
  const link = panel.querySelector("a.button");
  const number = box.querySelector("bdi");
  let left = Number(box.dataset.leavingIn);
  box.hidden = false;
  const tick = setInterval(() => {
    if (document.hidden) return;
    left -= 1;
    number.textContent = left;
    if (left > 0) return;
    clearInterval(tick);
    location.assign(link.href);
  }, 1_000);
  const stop = () => {
    clearInterval(tick);
    box.hidden = true;
  };
  // A page that is kept while the customer is in the shop goes on counting when they come back to it.
  addEventListener("pagehide", stop, { once: true });
  box.querySelector("button").addEventListener("click", () => {
    stop();
    link.focus();
  });
}

function enter() {
  began = Date.now();
  changesAt = panel.dataset.changesIn ? began + Number(panel.dataset.changesIn) * 1_000 : Infinity;
  const box = panel.querySelector("[data-leaving-in]");
  if (box) countDown(box);
}

// --- Begin ------------------------------------------------------------------------------------------------------

const wentByHistory = () =>
  ["back_forward", "reload"].includes(performance.getEntriesByType("navigation")[0]?.type);

addEventListener("pageshow", (event) => {
  // Once the page has loaded: a form that is posted sooner takes the page's place in the history, and Back skips it.
  setTimeout(() => arrive(event.persisted || wentByHistory()));
  // Whoever came back from the shop by Back wants to stay.
  if (!event.persisted && !wentByHistory()) enter();
  look();
});
document.addEventListener("visibilitychange", look);
addEventListener("online", look);
