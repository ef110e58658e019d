// An example's id is nobody's: what is sent from here is about one of the caller's own, found with the caller's own key.
const PAYMENTS = "/api/v1/payments", RUNS = "/api/v1/reconciliation";
const EXAMPLE = /(pay|ref|run)_01kaw5m0v7e1cbb4wsy0s9p6jd/;
const send = window.fetch.bind(window);

async function listed(request, path, name) {
  const answer = await send(new URL(path, request.url), { headers: request.headers });
  return answer.ok ? (await answer.json())[name] : [];
}

const FITS = {
  "/refund/": (payment) => payment.amount_refundable_minor > 0,
  "/cancel": (payment) => payment.pay_url && payment.payment_method === "stripe",
};

async function ownId(request, kind) {
  if (kind === "run") return (await listed(request, RUNS, "runs"))[0]?.id;
  const payments = await listed(request, `${PAYMENTS}/?limit=100`, "payments");
  if (kind === "ref") {
    const paidOnce = payments.filter((payment) => ["completed", "refunded"].includes(payment.status));
    const given = paidOnce.find((payment) => payment.amount_refundable_minor < payment.amount_minor);
    return given && (await listed(request, `${PAYMENTS}/${given.id}/refunds`, "refunds"))[0]?.refund_id;
  }
  const [, fits] = Object.entries(FITS).find(([part]) => request.url.includes(part)) ?? [, () => true];
  return payments.find(fits)?.id;
}

window.fetch = async (...asked) => {
  const request = new Request(...asked);
  const found = EXAMPLE.exec(request.url);
  const own = found && (await ownId(request, found[1]));
  if (!own) return send(request);
  // Its text and not the request itself: a body that is passed on as a stream needs HTTP/2.
  const { method, headers } = request;
  const body = method === "GET" ? undefined : await request.text();
  return send(request.url.replace(found[0], own), { method, headers, body });
};
