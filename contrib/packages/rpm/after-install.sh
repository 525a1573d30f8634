systemd-sysusers atlaudit.conf
systemd-tmpfiles --create atlaudit.conf
chown atlaudit:atlaudit /etc/atlaudit/config.toml
if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
