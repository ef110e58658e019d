<?php // A shop on payproc: `php -S 127.0.0.1:5000 shop.php`, with PAYPROC_URL, PAYPROC_KEY, WEBHOOK_SECRET and SHOP_URL set.
require __DIR__ . '/../../clients/php/Payproc.php';
$payproc = new Payproc(getenv('PAYPROC_URL'), getenv('PAYPROC_KEY'));
$sent = sys_get_temp_dir() . '/payproc-shop-' . md5(getenv('PAYPROC_KEY')); // a folder where a real shop has its database
is_dir($sent) || mkdir($sent);
switch (strtok($_SERVER['REQUEST_URI'], '?')) {
    case '/':
        echo '<form method="post" action="/buy"><button>Two mangoes, Rs 1,250.50</button></form>';
        break;
    case '/buy':
        $reference = 'php-' . bin2hex(random_bytes(6));
        $order = $payproc->createOrder([
            'reference' => $reference, 'amount' => '1250.50', 'currency' => 'pkr', 'description' => 'Two mangoes',
            'customer' => ['email' => 'amina@example.com', 'name' => 'Amina Khan'],
            'success_url' => getenv('SHOP_URL') . "/thanks?order=$reference",
        ], $reference);
        header('Location: ' . $order['pay_url'], true, 303);
        break;
    case '/hook': // the one place where goods are let go, once for each order
        try {
            $event = Payproc::verifyWebhook(file_get_contents('php://input'), getallheaders(), getenv('WEBHOOK_SECRET'));
        } catch (PayprocWebhookRefused $refused) {
            http_response_code(400);
            exit($refused->getMessage());
        }
        if ($event['type'] === 'order.paid') {
            touch("$sent/" . $event['data']['reference']);
        }
        break;
    case '/thanks': // arriving here proves nothing: the shop looks for itself
        $reference = preg_replace('/[^a-z0-9-]/', '', $_GET['order'] ?? '');
        echo file_exists("$sent/$reference") ? "Thank you! $reference is on its way." : "We wait to hear of $reference.";
        break;
    case '/refund':
        $order = $payproc->getOrder($_POST['order']);
        $paid = array_values(array_filter($order['payments'], fn ($each) => $each['status'] === 'completed'));
        echo $payproc->refund($paid[0]['payment_id'], ['reason' => 'unripe'])['status'];
}
