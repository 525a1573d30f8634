#compdef atlaudit
# Completion of atlaudit for zsh. The program itself says what can be typed.
_atlaudit() {
    local line kind prefix value help
    local -a lines offers before expl
    before=("${(@Q)words[2,CURRENT-1]}")
    lines=("${(@f)$(${~words[1]} __complete -- "${before[@]}" "${(Q)PREFIX}" 2>/dev/null)}")
    [[ -n $lines[1] ]] || return 1
    kind=${lines[1]%%$'\t'*}
    prefix=${lines[1]#*$'\t'}
    shift lines
    compset -p ${#prefix}
    for line in $lines; do
        value=${line%%$'\t'*}
        help=${line#*$'\t'}
        value=${value#$prefix}
        offers+=("${value//:/\\:}${help:+:$help}")
    done
    local -a ends=()
    [[ ${#offers} -eq 1 && $value == *[=:/] ]] && ends=(-S '')
    local found=1
    (( ${#offers} )) && _describe -V 'atlaudit' offers $ends && found=0
    case $kind in
        files) _files && found=0 ;;
        # Not _files, which offers files where there is no folder.
        folders) _wanted directories expl folder _path_files -/ && found=0 ;;
    esac
    return found
}
if [[ $funcstack[1] == _atlaudit ]]; then
    _atlaudit "$@"
else
    compdef _atlaudit atlaudit
fi
