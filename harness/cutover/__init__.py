"""How users' traffic is moved: by DNS (option A of the guide)."""
