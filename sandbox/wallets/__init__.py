"""What the simulators of Pakistani wallets share."""
