"""The visitor: submits, watches and fetches through the controller port."""
