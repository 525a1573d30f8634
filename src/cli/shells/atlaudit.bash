# Completion of atlaudit for bash. The program itself says what can be typed.
_atlaudit() {
    local word last is_joined='' kind='' value IFS=$' \t\n'
    local -a words=()
    local i
    # bash ends a word at `=` and `:`, the program does not.
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        # Only what is before the cursor counts.
        if ((i == COMP_CWORD)) && [[ -n ${word//[=:]/} ]]; then
            word=$2
        fi
        if [[ -n $word && -z ${word//[=:]/} && ${#words[@]} -gt 0 ]]; then
            words[${#words[@]} - 1]+=$word
            is_joined=1
        elif [[ $is_joined ]]; then
            words[${#words[@]} - 1]+=$word
            is_joined=''
        else
            words+=("$word")
        fi
    done
    last=${words[${#words[@]} - 1]}
    # The part of the word that bash does not replace.
    local kept=${last%"$2"}
    COMPREPLY=()
    while IFS=$'\t' read -r value _; do
        if [[ -z $kind ]]; then
            kind=$value
        else
            COMPREPLY+=("${value#"$kept"}")
        fi
    done < <("${1/#\~\//$HOME/}" __complete -- "${words[@]//[\"\'\\]/}" 2>/dev/null)
    case $kind in
        files) compopt -o default -o bashdefault 2>/dev/null ;;
        folders) compopt -o dirnames 2>/dev/null ;;
    esac
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[=:/] ]]; then
        compopt -o nospace 2>/dev/null
    fi
}
if [[ ${BASH_VERSINFO[0]} -gt 4 || ${BASH_VERSINFO[0]} -eq 4 && ${BASH_VERSINFO[1]} -ge 4 ]]; then
    complete -o nosort -F _atlaudit atlaudit
elif [[ ${BASH_VERSINFO[0]} -eq 4 ]]; then
    complete -F _atlaudit atlaudit
else
    # bash 3 cannot decide between words and files for each word.
    complete -o default -F _atlaudit atlaudit
fi
