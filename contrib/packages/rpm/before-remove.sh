# Not while it is upgraded: then a newer one is installed already.
if [ "$1" = 0 ] && [ -d /run/systemd/system ]; then
  systemctl disable --now atlaudit.service atlaudit-pull.timer
fi
