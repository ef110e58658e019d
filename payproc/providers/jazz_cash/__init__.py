"""JazzCash: a mobile wallet of Pakistan, in the guide's dialect and in the gateway's own."""
