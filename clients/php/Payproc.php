<?php

declare(strict_types=1);

/**
 * A shop's side of payproc in one file, without dependencies: PHP 7.4 or newer with the curl extension.
 *
 *     $payproc = new Payproc('https://pay.example.com', getenv('PAYPROC_KEY'));
 *     $order = $payproc->createOrder(['amount' => '1250.50', 'currency' => 'pkr', 'description' => 'Two mangoes']);
 *     header('Location: ' . $order['pay_url']);
 *
 * Amounts are strings in major units ('1250.50') or whole minor units (amount_minor): never compute with floats.
 */
final class Payproc
{
    private const TRIES = 4;
    private const CONNECT_SECONDS = 5;
    private const READ_SECONDS = 40;
    /** A delivery is no older, and no younger, than this: who has recorded one cannot send it again for long. */
    private const TOLERANCE_SECONDS = 300;

    private string $base;
    private string $key;

    public function __construct(string $baseUrl, string $key)
    {
        $this->base = rtrim($baseUrl, '/') . '/api/v1';
        $this->key = $key;
    }

    /**
     * Make an order; send its customer to `pay_url`.
     *
     * The same `$idempotencyKey` is the same order however often it is asked for; one is made where none is given, so
     * that a request whose answer was lost is sent again without harm.
     */
    public function createOrder(array $order, ?string $idempotencyKey = null): array
    {
        return $this->request('POST', '/orders', $order, $idempotencyKey ?? self::newKey());
    }

    /** Look an order up by its id or by your own reference, with what was tried to pay it. */
    public function getOrder(string $idOrReference): array
    {
        return $this->request('GET', '/orders/' . rawurlencode($idOrReference));
    }

    /** End an order that nobody has paid. */
    public function closeOrder(string $idOrReference): array
    {
        return $this->request('POST', '/orders/' . rawurlencode($idOrReference) . '/close', []);
    }

    /** Look a payment up. */
    public function getPayment(string $paymentId): array
    {
        return $this->request('GET', '/payments/' . rawurlencode($paymentId));
    }

    /** Give a payment's money back: all that is left, or `['amount' => '10.00', 'reason' => '…']` of it. */
    public function refund(string $paymentId, array $refund = [], ?string $idempotencyKey = null): array
    {
        $path = '/payments/refund/' . rawurlencode($paymentId);

        return $this->request('POST', $path, $refund, $idempotencyKey ?? self::newKey());
    }

    /** Look a refund up. */
    public function getRefund(string $refundId): array
    {
        return $this->request('GET', '/payments/refund/' . rawurlencode($refundId));
    }

    /**
     * Return the event of a webhook that payproc has signed (Standard Webhooks 1.0), or throw.
     *
     * `$payload` is the body as it came, byte for byte: file_get_contents('php://input'). `$headers` as getallheaders()
     * gives them. Do a thing once for each `webhook-id`: a delivery whose answer was lost comes again.
     */
    public static function verifyWebhook(string $payload, array $headers, string $secret, ?int $now = null): array
    {
        $headers = array_change_key_case($headers, CASE_LOWER);
        $id = (string) ($headers['webhook-id'] ?? '');
        $timestamp = (string) ($headers['webhook-timestamp'] ?? '');
        $signatures = (string) ($headers['webhook-signature'] ?? '');
        if ($id === '' || !ctype_digit($timestamp) || $signatures === '') {
            throw new PayprocWebhookRefused('The webhook has no signature that could be checked.');
        }
        if (abs(($now ?? time()) - (int) $timestamp) > self::TOLERANCE_SECONDS) {
            throw new PayprocWebhookRefused('The webhook was signed too long ago, or a clock is wrong.');
        }
        $key = base64_decode(preg_replace('/^whsec_/', '', $secret), true);
        if ($key === false || $key === '') {
            throw new PayprocWebhookRefused('The secret is not one of an endpoint.');
        }
        $expected = base64_encode(hash_hmac('sha256', "$id.$timestamp.$payload", $key, true));
        $matches = false;
        // Two while a secret is being changed. Each is compared, so that the time taken tells nothing.
        foreach (explode(' ', $signatures) as $signature) {
            [$version, $value] = explode(',', $signature, 2) + [1 => ''];
            $matches = ($version === 'v1' && hash_equals($expected, $value)) || $matches;
        }
        if (!$matches) {
            throw new PayprocWebhookRefused('The webhook was not signed by this secret.');
        }

        return json_decode($payload, true, 64, JSON_THROW_ON_ERROR);
    }

    private static function newKey(): string
    {
        return bin2hex(random_bytes(16));
    }

    private function request(string $method, string $path, ?array $body = null, ?string $idempotencyKey = null): array
    {
        // What may have been done is asked for again under its key alone; what only reads, always.
        $tries = $method === 'GET' || $idempotencyKey !== null ? self::TRIES : 1;
        for ($try = 1; ; $try++) {
            [$status, $text, $wait] = $this->send($method, $path, $body, $idempotencyKey);
            if ($status >= 200 && $status < 300) {
                return json_decode($text, true, 64, JSON_THROW_ON_ERROR);
            }
            $again = in_array($status, [0, 429, 502, 503, 504], true);
            if (!$again || $try === $tries) {
                throw PayprocError::of($status, $text);
            }
            usleep((int) (1e6 * min($wait ?? 0.5 * 2 ** ($try - 1), 30)));
        }
    }

    /** @return array{int, string, ?float} the status (0: nobody answered), the body, and how long to wait in seconds */
    private function send(string $method, string $path, ?array $body, ?string $idempotencyKey): array
    {
        $headers = ["Authorization: Bearer {$this->key}", 'Accept: application/json'];
        if ($body !== null) {
            $headers[] = 'Content-Type: application/json';
        }
        if ($idempotencyKey !== null) {
            $headers[] = "Idempotency-Key: $idempotencyKey";
        }
        $wait = null;
        $call = curl_init($this->base . $path);
        curl_setopt_array($call, [
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_HTTPHEADER => $headers,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_CONNECTTIMEOUT => self::CONNECT_SECONDS,
            CURLOPT_TIMEOUT => self::READ_SECONDS,
            CURLOPT_HEADERFUNCTION => static function ($call, string $line) use (&$wait): int {
                if (preg_match('/^retry-after:\s*(\d+)/i', $line, $found)) {
                    $wait = (float) $found[1];
                }

                return strlen($line);
            },
        ]);
        if ($body !== null) {
            curl_setopt($call, CURLOPT_POSTFIELDS, json_encode((object) $body, JSON_THROW_ON_ERROR));
        }
        $text = curl_exec($call);
        $status = (int) curl_getinfo($call, CURLINFO_RESPONSE_CODE);
        if ($text === false) {
            return [0, curl_error($call), null];
        }

        return [$status, $text, $wait];
    }
}

/** What payproc refused, or could not do: `errorCode` is for programs, the message for people. */
final class PayprocError extends RuntimeException
{
    public string $errorCode = 'no_answer';
    public int $status = 0;
    public ?string $field = null;
    public ?string $subject = null;

    public static function of(int $status, string $text): self
    {
        $problem = json_decode($text, true);
        $problem = is_array($problem) ? $problem : [];
        $error = new self($problem['detail'] ?? ($status === 0 ? "payproc did not answer: $text" : "HTTP $status"));
        $error->status = $status;
        $error->errorCode = $problem['code'] ?? ($status === 0 ? 'no_answer' : 'unknown');
        $error->field = $problem['field'] ?? null;
        $error->subject = $problem['subject'] ?? null;

        return $error;
    }
}

/** A webhook that must not be believed: answer it with 400. */
final class PayprocWebhookRefused extends RuntimeException
{
}
