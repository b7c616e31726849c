#!/usr/bin/awk -f
# Draws what contrib/demo.sh shows, with long lists cut short. The files belong to alice, whoever runs it:
#
#     LC_ALL=C.UTF-8 TZ=UTC contrib/demo.sh | contrib/session.awk >contrib/session.svg

function escaped(text) {
    gsub(/&/, "\\&amp;", text)
    gsub(/</, "\\&lt;", text)
    gsub(/>/, "\\&gt;", text)
    return text
}

# Adds a row to the picture.
function keep(text, class) {
    texts[rows] = text
    classes[rows] = class
    rows++
}

function shortened(text) {
    return length(text) > columns ? substr(text, 1, columns - 1) "…" : text
}

BEGIN {
    rows = 0
    most = 4        # lines of one command's output
    columns = 92
    line = 19       # in pixels, as the two below
    margin = 16
    column = 8.43
}

/^\$ pop3fs demo/ { begun = 1 }
!begun { next }
/^\$ / { shown = 0; keep($0, "command"); next }
/^$/ { next }
/^-r--------/ { sub(/1 [^ ]+ +[^ ]+/, "1 alice alice") }
{ shown++ }
shown <= most { keep(shortened($0), "output") }
shown == most + 1 { keep("…", "output") }

END {
    if (!rows) exit 1
    width = columns * column + 2 * margin
    height = rows * line + 2 * margin
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\">\n", width, height, width, height
    print "<style>text{font:14px monospace;white-space:pre;fill:#e5e7eb}.command{fill:#6ee7b7;font-weight:bold}</style>"
    print "<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#111827\"/>"
    for (row = 0; row < rows; row++)
        printf "<text class=\"%s\" x=\"%d\" y=\"%d\" xml:space=\"preserve\">%s</text>\n", classes[row], margin, margin + row * line + 14, escaped(texts[row])
    print "</svg>"
}
