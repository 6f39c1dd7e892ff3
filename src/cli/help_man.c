/* The man page, from the tables of commands, options and rules. */
#include "command.h"
#include "conf_lists.h"
#include "help.h"

#include <ctype.h>

/* A character beyond ASCII by its number; returns how many bytes it has. */
static size_t put_wide(struct ww_buf *out, const char *text)
{
    size_t len = ww_utf8_len(ww_str_c(text));
    unsigned long code = (unsigned char)text[0] & (0xfful >> (len + 1));

    for (size_t i = 1; i < len; i++)
        code = code << 6 | ((unsigned char)text[i] & 0x3f);
    ww_buf_printf(out, "\\[u%04lX]", code);
    return len > 0 ? len : 1;
}

/* Text for troff: `word` in bold, what begins a line never taken for a request. */
static void put_text(struct ww_buf *out, const char *text)
{
    bool bold = false, fresh = true;

    for (const char *p = text; *p != '\0'; p++) {
        if (fresh && (*p == '.' || *p == '\''))
            ww_buf_add_c(out, "\\&");
        fresh = *p == '\n';
        if (*p == '`') {
            bold = !bold;
            ww_buf_add_c(out, bold ? "\\fB" : "\\fR");
        } else if (*p == '\\') {
            ww_buf_add_c(out, "\\e");
        } else if (*p == '-') {
            ww_buf_add_c(out, "\\-");
        } else if ((unsigned char)*p >= 0x80) {
            p += put_wide(out, p) - 1;
        } else if (*p != '\n' || p[1] != '\n') {
            ww_buf_add_char(out, *p);
        } else {
            ww_buf_add_c(out, "\n.PP");
        }
    }
}

static void put_lines(struct ww_buf *out, const char *text)
{
    ww_buf_add_c(out, ".PP\n.nf\n");
    put_text(out, text);
    ww_buf_add_c(out, ".fi\n");
}

static void put_option(struct ww_buf *out, const struct option_row *o)
{
    ww_buf_add_c(out, ".TP\n");
    if (o->letter != 0)
        ww_buf_printf(out, "\\fB\\-%c\\fR, ", o->letter);
    ww_buf_add_c(out, "\\fB\\-\\-");
    put_text(out, o->name);
    ww_buf_add_c(out, "\\fR");
    if (o->arg != NULL)
        ww_buf_printf(out, " \\fI%s\\fR", o->arg);
    ww_buf_add_char(out, '\n');
    put_text(out, o->help);
    ww_buf_add_c(out, ".\n");
    if (o->text != NULL) {
        put_text(out, o->text);
        ww_buf_add_char(out, '\n');
    }
    if (o->dflt != NULL) {
        ww_buf_add_c(out, "Default: ");
        put_text(out, o->dflt);
        ww_buf_add_c(out, ".\n");
    }
}

/* Those that every command has are told once. */
static void put_options(struct ww_buf *out, unsigned command)
{
    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        bool of_all = (o->commands & FOR_ALL) == FOR_ALL;

        if (command == FOR_ALL ? of_all : !of_all && (o->commands & command) != 0)
            put_option(out, o);
    }
}

static void put_commands(struct ww_buf *out)
{
    ww_buf_add_c(out, ".SH COMMANDS\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        ww_buf_add_c(out, ".SS whichworker ");
        put_text(out, commands[i]->synopsis);
        ww_buf_add_char(out, '\n');
        put_text(out, commands[i]->text);
        ww_buf_add_char(out, '\n');
        put_lines(out, commands[i]->examples);
        put_options(out, commands[i]->bit);
    }
    ww_buf_add_c(out, ".SH \"OPTIONS OF EVERY COMMAND\"\n");
    put_options(out, FOR_ALL);
}

static void put_formats(struct ww_buf *out)
{
    ww_buf_add_c(out, ".SH \"REPORT FORMATS\"\n");
    for (const struct ww_report_format *f = ww_report_formats; f->name != NULL; f++) {
        ww_buf_printf(out, ".TP\n\\fB%s\\fR\n", f->name);
        put_text(out, f->help);
        ww_buf_add_char(out, '\n');
    }
}

static void put_file(struct ww_buf *out)
{
    ww_buf_add_c(out, ".SH \"CONFIGURATION FILE\"\n");
    put_text(out,
             "Every option is a key of `" CONF_NAME "` by its long name. The lists below are\n"
             "rules for the judge; `whichworker help config` has examples.\n");
    for (size_t i = 0; i < CONF_LISTS; i++) {
        const struct conf_list *list = &conf_lists[i];

        ww_buf_printf(out, ".SS %s\n", list->name);
        put_text(out, list->help);
        ww_buf_add_char(out, '\n');
        for (size_t k = 0; k < CONF_KEYS_MAX && list->key[k].name != NULL; k++) {
            ww_buf_add_c(out, ".TP\n\\fB");
            put_text(out, list->key[k].name);
            ww_buf_add_c(out, "\\fR\n");
            put_text(out, list->key[k].help);
            ww_buf_add_char(out, '\n');
        }
    }
}

static void put_rest(struct ww_buf *out)
{
    ww_buf_add_c(out, ".SH \"EXIT STATUS\"\n");
    put_text(
        out,
        "Of commands that judge: 0 pass, 1 findings at or above --fail-on, 2 inconclusive,\n"
        "3 wrong usage, configuration or trace, 4 it could not run. What a command adds to\n"
        "that is said with it.\n");
    ww_buf_add_c(out, ".SH ENVIRONMENT\n");
    put_text(
        out,
        "Each option can be set by a variable, as in WHICHWORKER_CONNECT_TIMEOUT=2s for\n"
        "--connect-timeout; an argument comes before it, the configuration file behind it.\n"
        "WHICHWORKER_CONFIG names that file. With NO_COLOR there are no colours.\n");
    ww_buf_add_c(out, ".SH FILES\n.TP\n\\fI./" CONF_NAME "\\fR\n");
    put_text(out,
             "Settings and rules, where it belongs to the user, to root or to the directory's\n"
             "owner and no option names another file.\n");
    ww_buf_add_c(out, ".SH \"SEE ALSO\"\n.BR gunicorn (1),\n.BR sqlite3 (1)\n");
}

void help_man(struct ww_buf *out)
{
    ww_buf_add_c(out,
                 ".\\\" Made by: whichworker help --man\n"
                 ".TH WHICHWORKER 1 \"\" \"whichworker " WW_VERSION "\" \"User Commands\"\n"
                 ".SH NAME\n");
    put_text(
        out,
        "whichworker - which worker process served a request, and did a client just see two\n");
    ww_buf_add_c(out, "of them disagree\n.SH SYNOPSIS\n.B whichworker\n.I COMMAND\n"
                      "[\\fIoptions\\fR]\n.SH DESCRIPTION\n");
    put_text(
        out,
        "A reverse proxy for web applications that run as several worker processes behind one\n"
        "listening socket. It tells which worker served each request, and flags client "
        "sessions\n"
        "whose requests were served by different workers with inconsistent state.\n\n"
        "A time is a number with `ms`, `s`, `m` or `h`; a size is a number of bytes, or with "
        "`k`,\n"
        "`M` or `G`.\n");
    put_commands(out);
    put_formats(out);
    put_file(out);
    put_rest(out);
}
