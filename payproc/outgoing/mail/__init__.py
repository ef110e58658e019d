"""Mail: staged in the transaction of what it tells, composed and sent by a job of its own, or withdrawn."""
