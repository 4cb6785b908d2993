"""Containers and virtual machines of LXD or Incus, on this host or a remote one."""
