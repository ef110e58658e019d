"""Easypaisa: wallet pushes, cash at a shop, a hosted page, and the guide's own dialect."""
