/* The options table as lines for a terminal and as Markdown. */
#include "opts.h"

#include <stdio.h>

#define HELP_COLUMN 29

void options_help(unsigned command, struct ww_buf *out)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        char left[64];

        if ((o->commands & command) == 0)
            continue;
        char letter[] = { '-', o->letter, ',', ' ', '\0' };
        snprintf(left, sizeof(left), "  %s--%s%s%s", o->letter == 0 ? "" : letter, o->name,
                 o->arg == NULL ? "" : " ", o->arg == NULL ? "" : o->arg);
        ww_buf_printf(out, "%-*s %s", HELP_COLUMN, left, o->help);
        if (option_default(command, o) != NULL)
            ww_buf_printf(out, " [%s]", option_default(command, o));
        ww_buf_add_char(out, '\n');
    }
}

void options_markdown(unsigned command, struct ww_buf *out)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        if ((o->commands & command) == 0)
            continue;
        if (o->letter != 0)
            ww_buf_printf(out, "- **`-%c`, `--%s%s%s`**: %s", o->letter, o->name,
                          o->arg == NULL ? "" : " ", o->arg == NULL ? "" : o->arg, o->help);
        else
            ww_buf_printf(out, "- **`--%s%s%s`**: %s", o->name, o->arg == NULL ? "" : " ",
                          o->arg == NULL ? "" : o->arg, o->help);
        if (option_default(command, o) != NULL)
            ww_buf_printf(out, ". Default: `%s`", option_default(command, o));
        ww_buf_add_c(out, ".\n");
        if (o->text != NULL) {
            ww_str rest = ww_str_c(o->text);
            ww_str line;

            while (ww_str_cut(&rest, '\n', &line))
                ww_buf_printf(out, "  " WW_STRF "\n", WW_STRV(line));
        }
    }
}
