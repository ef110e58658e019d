-- What must always be true, as queries that find where it is not. Each returns the subject and a sentence.
--
-- Most are over the rows of one table and are asked of a few thousand of them at a time, `:ids`: a table of any size is
-- checked in pieces (payproc/operations/doctor.py). What is over everything reads small indexes; what is over the books
-- sums all of them. `OFFSET 0` keeps a question one about each row, answered by an index: as a join it is planned by
-- statistics, and those of a table that was analyzed while it was being filled say that it is empty.
-- Run by `python -m payproc doctor`, by beat every 15 minutes, and after every fault test.

-- name: status_is_the_fold_of_events
-- over: payments
-- Each status equals the fold of its payment's events: every move starts where the last one ended.
WITH moves AS (
    SELECT payment_id, number, from_status, to_status,
           lag(to_status) OVER (PARTITION BY payment_id ORDER BY number) AS previous,
           row_number() OVER (PARTITION BY payment_id ORDER BY number DESC) AS newest
    FROM payment_events WHERE effect = 'moved' AND payment_id = ANY (:ids)
)
SELECT p.id, format('%s is %s, but its events end in %s', p.id, p.status, coalesce(m.to_status, 'nothing'))
FROM payments p LEFT JOIN moves m ON m.payment_id = p.id AND m.newest = 1
WHERE p.id = ANY (:ids) AND m.to_status IS DISTINCT FROM p.status
UNION ALL
SELECT payment_id, format('event %s of %s moves from %s, but the payment was %s', number, payment_id,
                          coalesce(from_status, 'nothing'), coalesce(previous, 'nothing'))
FROM moves WHERE from_status IS DISTINCT FROM previous;

-- name: changes_are_told
-- over: payments
-- Every move of a payment that counts its events is told by one, and none tells of a move that never was, until events of
-- its age are forgotten. What was forgotten in its last hour may be of a transaction that began before it. A payment that
-- an earlier release took has events from its first one on.
WITH kept AS (
    SELECT coalesce((SELECT w.at + interval '1 hour' FROM watermarks w WHERE w.name = 'events_life'),
                    '-infinity') AS since
),
counting AS (
    SELECT p.id, greatest(k.since, (SELECT e.at FROM events e WHERE e.subject = p.id AND e.sequence = 1)) AS since
    FROM payments p, kept k WHERE p.id = ANY (:ids) AND p.event_sequence > 0
),
moved AS (
    SELECT v.payment_id, v.at,
           CASE WHEN v.from_status = 'refunded' AND v.to_status = 'completed' THEN 'payment.reopened'
                WHEN v.to_status = 'pending' THEN 'payment.created' ELSE 'payment.' || v.to_status END AS type
    FROM payment_events v WHERE v.payment_id = ANY (:ids) AND v.effect = 'moved'
),
told AS (
    SELECT e.subject AS payment_id, e.at, e.type
    FROM events e WHERE e.subject = ANY (:ids) AND e.type LIKE 'payment.%'
)
SELECT c.id, format('%s has moved %s times as %s tells, and that was told %s times', c.id, m.moves, m.type,
                    (SELECT count(*) FROM told t WHERE t.payment_id = c.id AND t.type = m.type))
FROM counting c, LATERAL (SELECT type, count(*) AS moves FROM moved v
                          WHERE v.payment_id = c.id AND v.at >= c.since GROUP BY type) m
WHERE m.moves > (SELECT count(*) FROM told t WHERE t.payment_id = c.id AND t.type = m.type)
UNION ALL
SELECT c.id, format('%s of %s was told %s times, and %s has moved so %s times', t.type, c.id, t.times, c.id,
                    (SELECT count(*) FROM moved v WHERE v.payment_id = c.id AND v.type = t.type))
FROM counting c, LATERAL (SELECT type, count(*) AS times FROM told e
                          WHERE e.payment_id = c.id AND e.at >= c.since GROUP BY type) t
WHERE t.times > (SELECT count(*) FROM moved v WHERE v.payment_id = c.id AND v.type = t.type);

-- name: told_in_sequence
-- over: payments
-- The events of a payment are numbered without a gap, from the first on, until events of their age are forgotten: what
-- follows upon one that is kept is kept.
WITH kept AS (
    SELECT coalesce((SELECT w.at + interval '1 hour' FROM watermarks w WHERE w.name = 'events_life'),
                    '-infinity') AS since
),
numbered AS (
    SELECT e.subject, e.sequence, e.at,
           lead(e.sequence) OVER (PARTITION BY e.subject ORDER BY e.sequence) AS following
    FROM events e WHERE e.subject = ANY (:ids)
)
SELECT p.id, format('event %s of %s is followed by %s, of %s', n.sequence, p.id, coalesce(n.following::text, 'none'),
                    p.event_sequence)
FROM payments p JOIN numbered n ON n.subject = p.id, kept k
WHERE n.at >= k.since AND coalesce(n.following, p.event_sequence + 1) <> n.sequence + 1
UNION ALL
SELECT p.id, format('%s counts %s events, and its first is not there', p.id, p.event_sequence)
FROM payments p, kept k
WHERE p.id = ANY (:ids) AND p.event_sequence > 0 AND p.created_at >= k.since
  AND NOT EXISTS (SELECT 1 FROM events e WHERE e.subject = p.id AND e.sequence = 1 OFFSET 0);

-- name: open_payment_has_work_or_review
-- over: everything
-- No payment that can still change is forgotten: a job or a person has it.
SELECT p.id, format('%s is %s since %s, with no open job and no open review', p.id, p.status, p.updated_at)
FROM payments p
WHERE p.status IN ('pending', 'processing')
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = p.id AND j.state = 'ready' OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM reviews r WHERE r.payment_id = p.id AND r.resolved_at IS NULL OFFSET 0);

-- name: receipt_only_for_completed
-- over: emails
-- One receipt per completed payment at most (a unique constraint), and none for another, unless it was sent before the
-- payment turned out to be none. Here as below, what was withdrawn tells nobody anything.
SELECT e.id, format('mail %s is a receipt of %s, which is %s', e.id, p.id, p.status)
FROM emails e JOIN payments p ON p.id = e.payment_id
WHERE e.id = ANY (:ids) AND e.kind = 'receipt' AND e.withdrawn_at IS NULL AND p.completed_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM payment_events v WHERE v.payment_id = p.id AND v.fact = 'sale_undone' OFFSET 0);

-- name: completed_has_receipt
-- over: payments
-- Every completed payment of a customer has its receipt in the outbox, sent or not, until mails of its age are
-- forgotten. A shop that named no customer is told otherwise, and who asked to be forgotten is told nothing.
SELECT p.id, format('%s is completed, but no receipt was ever staged', p.id)
FROM payments p JOIN users u ON u.id = p.user_id
WHERE p.id = ANY (:ids) AND p.status = 'completed' AND u.role = 'customer' AND u.erased_at IS NULL
  AND p.completed_at >= coalesce((SELECT w.at FROM watermarks w WHERE w.name = 'mails_life'), '-infinity')
  AND NOT EXISTS (SELECT 1 FROM emails e
                  WHERE e.payment_id = p.id AND e.kind = 'receipt' AND e.withdrawn_at IS NULL OFFSET 0);

-- name: failure_only_for_failed
-- over: emails
-- Nobody was told of a failure that never was. The payment may have been paid since: then the mail came before.
SELECT e.id, format('mail %s tells of the failure of %s, which never failed', e.id, e.payment_id)
FROM emails e
WHERE e.id = ANY (:ids) AND e.kind = 'failure' AND e.withdrawn_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM payment_events v
                  WHERE v.payment_id = e.payment_id AND v.to_status = 'failed' AND v.effect = 'moved' OFFSET 0);

-- name: refund_mail_only_for_refunds
-- over: emails
-- Each mail about a refund names one of its own payment.
SELECT e.id, format('mail %s of %s is about %s, which is no refund of it', e.id, e.payment_id, e.about)
FROM emails e
WHERE e.id = ANY (:ids) AND e.kind IN ('refund', 'refund_failed')
  AND NOT EXISTS (SELECT 1 FROM refunds f WHERE f.id = e.about AND f.payment_id = e.payment_id OFFSET 0);

-- name: owed_mail_has_work_or_review
-- over: emails
-- A mail that was neither sent nor withdrawn has an open job, or was given up in front of a person.
SELECT e.id, format('mail %s (%s %s) was never sent and nobody is trying', e.id, e.kind, coalesce(e.payment_id, e.about))
FROM emails e
WHERE e.id = ANY (:ids) AND e.sent_at IS NULL AND e.withdrawn_at IS NULL
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = e.id AND j.state IN ('ready', 'dead') OFFSET 0);

-- name: pending_delivery_has_work_or_review
-- over: webhook_deliveries
-- What an endpoint has yet to be told has an open job, or was given up in front of a person.
SELECT d.id, format('delivery %s of %s to %s is pending and nobody is trying', d.id, d.event_id, d.endpoint_id)
FROM webhook_deliveries d
WHERE d.id = ANY (:ids) AND d.state = 'pending'
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = d.id AND j.state IN ('ready', 'dead') OFFSET 0);

-- name: open_refund_has_work_or_review
-- over: refunds
-- No refund that can still end is forgotten: a job or a person has it.
SELECT f.id, format('refund %s of %s is %s, with no open job and no open review', f.id, f.payment_id, f.status)
FROM refunds f
WHERE f.id = ANY (:ids) AND f.status IN ('requested', 'pending', 'manual')
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = f.id AND j.state = 'ready' OFFSET 0)
  AND NOT EXISTS (SELECT 1 FROM reviews r
                  WHERE r.resolved_at IS NULL
                    AND (r.subject = f.id OR r.subject IN (SELECT d.id FROM jobs d WHERE d.subject = f.id)) OFFSET 0);

-- name: refunds_are_covered
-- over: payments
-- What was given back, is on its way or waits for a person never exceeds what was paid. Only a refund made in the
-- provider's dashboard beside ours can make it so, and then a person knows: was asked since the last of them was made.
SELECT p.id, format('%s took %s, and %s is given back or reserved', p.id, p.amount_minor, sum(f.amount_minor))
FROM payments p JOIN refunds f ON f.payment_id = p.id
WHERE p.id = ANY (:ids) AND f.status NOT IN ('failed', 'cancelled')
  AND NOT EXISTS (SELECT 1 FROM reviews r
                  WHERE r.payment_id = p.id AND r.kind = 'refund_mismatch'
                    AND (r.resolved_at IS NULL OR r.opened_at >= (
                        SELECT max(g.created_at) FROM refunds g
                        WHERE g.payment_id = p.id AND g.status NOT IN ('failed', 'cancelled'))) OFFSET 0)
GROUP BY p.id, p.amount_minor
HAVING sum(f.amount_minor) > p.amount_minor;

-- name: refund_is_in_its_payments_currency
-- over: refunds
-- Minor units of two currencies never meet in one sum. A key holds new rows to it; an earlier release did not.
SELECT f.id, format('refund %s is in %s, and %s in %s', f.id, f.currency, p.id, p.currency)
FROM refunds f JOIN payments p ON p.id = f.payment_id
WHERE f.id = ANY (:ids) AND f.currency <> p.currency;

-- name: refund_status_is_the_fold_of_events
-- over: refunds
-- Each refund's status equals the fold of its events.
WITH moves AS (
    SELECT refund_id, number, from_status, to_status,
           lag(to_status) OVER (PARTITION BY refund_id ORDER BY number) AS previous,
           row_number() OVER (PARTITION BY refund_id ORDER BY number DESC) AS newest
    FROM refund_events WHERE effect = 'moved' AND refund_id = ANY (:ids)
)
SELECT f.id, format('%s is %s, but its events end in %s', f.id, f.status, coalesce(m.to_status, 'nothing'))
FROM refunds f LEFT JOIN moves m ON m.refund_id = f.id AND m.newest = 1
WHERE f.id = ANY (:ids) AND m.to_status IS DISTINCT FROM f.status
UNION ALL
SELECT refund_id, format('event %s of %s moves from %s, but the refund was %s', number, refund_id,
                         coalesce(from_status, 'nothing'), coalesce(previous, 'nothing'))
FROM moves WHERE from_status IS DISTINCT FROM previous;

-- name: dispute_status_is_the_fold_of_events
-- over: disputes
-- Each dispute's status equals the fold of its events.
WITH moves AS (
    SELECT dispute_id, number, from_status, to_status,
           lag(to_status) OVER (PARTITION BY dispute_id ORDER BY number) AS previous,
           row_number() OVER (PARTITION BY dispute_id ORDER BY number DESC) AS newest
    FROM dispute_events WHERE effect = 'moved' AND dispute_id = ANY (:ids)
)
SELECT d.id, format('%s is %s, but its events end in %s', d.id, d.status, coalesce(m.to_status, 'nothing'))
FROM disputes d LEFT JOIN moves m ON m.dispute_id = d.id AND m.newest = 1
WHERE d.id = ANY (:ids) AND m.to_status IS DISTINCT FROM d.status
UNION ALL
SELECT dispute_id, format('event %s of %s moves from %s, but the dispute was %s', number, dispute_id,
                          coalesce(from_status, 'nothing'), coalesce(previous, 'nothing'))
FROM moves WHERE from_status IS DISTINCT FROM previous;

-- name: refunded_is_given_back
-- over: payments
-- A payment is refunded exactly when nothing of it is left.
SELECT p.id, format('%s of %s is %s, and %s has been given back', p.amount_minor, p.id, p.status,
                    coalesce(sum(f.amount_minor), 0))
FROM payments p LEFT JOIN refunds f ON f.payment_id = p.id AND f.status = 'succeeded'
WHERE p.id = ANY (:ids) AND p.status IN ('completed', 'refunded')
GROUP BY p.id, p.amount_minor, p.status
HAVING (p.status = 'refunded') <> (coalesce(sum(f.amount_minor), 0) >= p.amount_minor);

-- name: payer_is_forgotten
-- over: payments
-- A payer's phone and CNIC are kept only until the wallet has been told.
SELECT p.id, format('%s is %s and still keeps its encrypted payer', p.id, p.status)
FROM payments p
WHERE p.id = ANY (:ids) AND p.sealed_payer IS NOT NULL AND p.status NOT IN ('pending', 'processing');

-- name: notice_is_settled
-- over: everything
-- No notice older than five minutes that is neither applied, parked with a due job, ignored, nor dead.
SELECT n.id, format('notice %s (%s) is %s since %s, with no open job', n.id, n.kind, n.state, n.received_at)
FROM notices n
WHERE n.state IN ('new', 'parked') AND n.received_at < now() - interval '5 minutes'
  AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.subject = n.id AND j.state = 'ready' OFFSET 0);

-- name: ignored_notice_has_its_reason
-- over: notices
-- What was ignored says why.
SELECT n.id, format('notice %s (%s) is ignored, and nobody says why', n.id, n.kind)
FROM notices n
WHERE n.id = ANY (:ids) AND n.state = 'ignored' AND n.reason IS NULL;

-- name: lease_runs_out
-- over: everything
-- No job is leased past the longest lease there is: a lease without an end is a job nobody gets back.
SELECT j.id, format('job %s (%s of %s) is leased until %s', j.id, j.kind, j.subject, j.leased_until)
FROM jobs j
WHERE j.state = 'ready' AND j.leased_until > now() + interval '1 hour';

-- name: completed_has_evidence
-- over: payments
-- Every completed payment has proof: a signed notice, our own inquiry, or an operator's word.
SELECT p.id, format('%s is completed without a notice, an inquiry or an operator behind it', p.id)
FROM payments p
WHERE p.id = ANY (:ids) AND p.status = 'completed'
  AND NOT EXISTS (
      SELECT 1 FROM payment_events e
      WHERE e.payment_id = p.id AND e.fact = 'paid' AND e.effect = 'moved' AND e.evidence IS NOT NULL OFFSET 0);

-- name: journals_balance
-- over: journals
-- The entries of a journal sum to zero in every currency.
SELECT journal_id, format('journal %s is off by %s %s (minor units)', journal_id, sum(amount_minor), currency)
FROM ledger_entries WHERE journal_id = ANY (:ids) GROUP BY journal_id, currency HAVING sum(amount_minor) <> 0
UNION ALL
SELECT j.id, format('journal %s (%s) has no entries', j.id, j.key)
FROM journals j
WHERE j.id = ANY (:ids) AND NOT EXISTS (SELECT 1 FROM ledger_entries e WHERE e.journal_id = j.id OFFSET 0);

-- name: ledger_balances
-- over: books
-- So do all of them together.
SELECT currency, format('the ledger as a whole is off by %s %s (minor units)', sum(amount_minor), currency)
FROM ledger_entries GROUP BY currency HAVING sum(amount_minor) <> 0;

-- name: completed_has_sale
-- over: payments
-- Every payment that is completed is sold once, for exactly its amount; no other one is, but for what was undone.
WITH sold AS (
    SELECT j.payment_id, e.currency, -sum(e.amount_minor) AS amount
    FROM journals j JOIN ledger_entries e ON e.journal_id = j.id
    WHERE j.payment_id = ANY (:ids) AND j.kind IN ('sale', 'sale_undone') AND e.account = 'sales'
    GROUP BY j.payment_id, e.currency
    HAVING sum(e.amount_minor) <> 0
)
SELECT coalesce(p.id, s.payment_id), format('%s took %s, and its sale is booked as %s (minor units)',
    coalesce(p.id, s.payment_id), coalesce(p.amount_minor || ' ' || p.currency, 'nothing'),
    coalesce(s.amount || ' ' || s.currency, 'nothing'))
FROM (SELECT id, amount_minor, currency FROM payments
      WHERE id = ANY (:ids) AND completed_at IS NOT NULL) p
FULL JOIN sold s ON s.payment_id = p.id AND s.currency = p.currency
WHERE s.amount IS DISTINCT FROM p.amount_minor;

-- name: refunds_are_booked
-- over: refunds
-- The journals of a succeeded refund sum to its amount, those of any other to nothing.
WITH booked AS (
    SELECT f.id, f.status, f.currency,
           CASE f.status WHEN 'succeeded' THEN f.amount_minor ELSE 0 END AS given,
           coalesce(sum(e.amount_minor), 0) AS amount
    FROM refunds f
    LEFT JOIN journals j ON j.key = ANY (ARRAY['refund:' || f.id, 'refund_undone:' || f.id])
    LEFT JOIN ledger_entries e ON e.journal_id = j.id AND e.account = 'refunds' AND e.currency = f.currency
    WHERE f.id = ANY (:ids)
    GROUP BY f.id
)
SELECT id, format('refund %s is %s and gave %s, and %s %s is booked (minor units)', id, status, given, amount, currency)
FROM booked WHERE amount <> given;

-- name: receivable_is_what_is_owed
-- over: books
-- What a provider owes us by its lines, and by what we have booked that no line has met yet, is our receivable.
WITH owed AS (
    SELECT provider, currency, sum(net) AS amount FROM settlement_lines GROUP BY provider, currency
    UNION ALL
    SELECT e.provider, e.currency, sum(e.amount_minor)
    FROM ledger_entries e JOIN journals j ON j.id = e.journal_id
    WHERE e.account = 'receivable' AND j.kind NOT IN ('line', 'clearing')
      AND NOT EXISTS (SELECT 1 FROM settlement_matches m WHERE m.journal_id = j.id)
    GROUP BY e.provider, e.currency
),
booked AS (
    SELECT provider, currency, sum(amount_minor) AS amount FROM ledger_entries
    WHERE account = 'receivable' GROUP BY provider, currency
),
total AS (SELECT provider, currency, sum(amount) AS amount FROM owed GROUP BY provider, currency)
SELECT coalesce(t.provider, b.provider), format('%s owes us %s %s, and %s is booked (minor units)',
    coalesce(t.provider, b.provider), coalesce(t.amount, 0), coalesce(t.currency, b.currency), coalesce(b.amount, 0))
FROM total t FULL JOIN booked b ON b.provider = t.provider AND b.currency = t.currency
WHERE coalesce(t.amount, 0) <> coalesce(b.amount, 0);

-- name: matches_agree
-- over: settlement_matches
-- Lines and journals that have met are of one payment and of one kind, and together they moved the receivable by what
-- the lines moved the balance.
WITH line AS (
    SELECT m.match, l.kind, l.payment_id, l.currency, l.net, l.provider, l.line_id
    FROM settlement_matches m JOIN settlement_lines l ON l.provider = m.provider AND l.line_id = m.line_id
    WHERE m.match = ANY (:ids)
),
own AS (
    SELECT m.match, j.id, j.payment_id,
           CASE j.kind WHEN 'sale' THEN 'charge' WHEN 'sale_undone' THEN 'charge_failure' WHEN 'refund' THEN 'refund'
                       WHEN 'refund_undone' THEN 'refund_failure' END AS kind
    FROM settlement_matches m JOIN journals j ON j.id = m.journal_id
    WHERE m.match = ANY (:ids)
),
of_line AS (
    SELECT l.match, e.currency, e.amount_minor
    FROM line l
    JOIN journals j ON j.key = ANY (ARRAY['line:' || l.provider || ':' || l.line_id,
                                          'clearing:' || l.provider || ':' || l.line_id])
    JOIN ledger_entries e ON e.journal_id = j.id AND e.account = 'receivable' AND e.provider = l.provider
),
moved AS (
    SELECT match, currency, -net AS amount FROM line
    UNION ALL
    SELECT o.match, e.currency, e.amount_minor
    FROM own o JOIN ledger_entries e ON e.journal_id = o.id AND e.account = 'receivable'
    UNION ALL
    SELECT match, currency, amount_minor FROM of_line
)
SELECT match, format('match %s is off by %s %s (minor units)', match, sum(amount), currency)
FROM moved GROUP BY match, currency HAVING sum(amount) <> 0
UNION ALL
SELECT l.match, format('line %s (%s of %s) has met journal %s (%s of %s)', l.line_id, l.kind,
                       coalesce(l.payment_id, 'nobody'), o.id, coalesce(o.kind, 'nothing'), coalesce(o.payment_id, 'nobody'))
FROM line l JOIN own o ON o.match = l.match
WHERE o.kind IS DISTINCT FROM l.kind OR (l.payment_id IS NOT NULL AND l.payment_id IS DISTINCT FROM o.payment_id)
UNION ALL
SELECT coalesce(l.match, o.match), format('match %s has one side alone', coalesce(l.match, o.match))
FROM line l FULL JOIN own o ON o.match = l.match
WHERE l.match IS NULL OR o.match IS NULL;
