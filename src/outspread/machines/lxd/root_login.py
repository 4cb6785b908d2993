"""The script that lets root log in over SSH with the machine's password, where there is an sshd: as projects expect it."""

import shlex

_SCRIPT = """set -u
password={password}
config=/etc/ssh/sshd_config
[ -e $config ] || exit 0
sed -i -E '/^[#[:space:]]*(PermitRootLogin|PasswordAuthentication)[[:space:]]/d' $config || exit 1
{{ printf 'PermitRootLogin yes\\nPasswordAuthentication yes\\n'; cat $config; }} > $config.new && mv $config.new $config || exit 1
if [ -d /etc/ssh/sshd_config.d ]; then
    printf 'PermitRootLogin yes\\nPasswordAuthentication yes\\n' > /etc/ssh/sshd_config.d/00-spread.conf
fi
printf 'root:%s\\n' "$password" | chpasswd || exit 1
[ ! -e /run/sshd.pid ] || kill -HUP "$(cat /run/sshd.pid)" 2> /dev/null
exit 0
"""


def root_login_script(password: str) -> bytes:
    """Return the script; it does nothing where there is no sshd."""
    return _SCRIPT.format(password=shlex.quote(password)).encode()
