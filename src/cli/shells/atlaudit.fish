# Completion of atlaudit for fish. The program itself says what can be typed.
function __atlaudit_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l program $words[1]
    set -e words[1]
    set -l lines ($program __complete -- $words "$current" 2>/dev/null)
    test (count $lines) -gt 0
    or return
    set -l head (string split -- \t $lines[1])
    set -e lines[1]
    test (count $lines) -gt 0
    and printf '%s\n' $lines
    set -l path (string sub -s (math 1 + (string length -- "$head[2]")) -- "$current")
    switch $head[1]
        case files
            __fish_complete_path $path | string replace -r '^' -- $head[2]
        case folders
            __fish_complete_directories $path | string replace -r '^' -- $head[2]
    end
end
complete -c atlaudit -f -k -a '(__atlaudit_complete)'
