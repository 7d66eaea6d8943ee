/** Sets `__h_start` and `__h_boot`: with the pid they name one process for ever, whatever reuses the number. */
export const identify = `
__h_identify() {
  __h_start=- __h_boot=-
  if [ -r /proc/sys/kernel/random/boot_id ] && read -r __h_stat <"/proc/$1/stat"; then
    read -r __h_boot </proc/sys/kernel/random/boot_id
    set -- \${__h_stat##*) }
    __h_start=\${20}
  else
    set -- $(LC_ALL=C ps -o lstart= -p "$1" 2>/dev/null)
    __h_start="\${1--}_\${2-}_\${3-}_\${4-}_\${5-}"
    __h_boot=$(sysctl -n kern.boottime 2>/dev/null | tr -cd 0-9) || __h_boot=-
  fi
}
`;

/** Sets `__h_ns`: nanoseconds since 1970, in whole seconds where date knows no better. */
export const clock = `
__h_clock() {
  __h_ns=$(date -u +%s%N)
  case $__h_ns in
    *[!0-9]* | ?????????? | '') __h_ns=$(date -u +%s)000000000 ;;
  esac
}
`;
