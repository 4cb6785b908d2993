"""The ``qemu`` backend: machines emulated on this host, each from an image that never changes."""
