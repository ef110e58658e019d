"""How requests reach the application: connections wait in one loop, and only a whole request gets a thread."""
