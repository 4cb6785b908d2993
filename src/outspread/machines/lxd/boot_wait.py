"""The script that returns when an instance has booted as far as it has to before anybody logs in."""

# The server runs programs in an instance as soon as that has a first process, which has yet to clear /tmp and to mount what else
# there is. Services, an sshd among them, start after basic.target. Other inits do no such things to a container.
BOOT_WAIT = b"""[ /proc/1/exe -ef /lib/systemd/systemd ] || [ /proc/1/exe -ef /usr/lib/systemd/systemd ] || exit 0
until systemctl is-active --quiet basic.target 2> /dev/null; do sleep 0.05; done
"""
