/* Completions for bash, zsh and fish, from the tables of commands and options. */
#include "command.h"
#include "help.h"

#include <stdio.h>

/* ---- what an option's value may be */

enum value { VALUE_NONE, VALUE_WORDS, VALUE_FILE, VALUE_OTHER };

static enum value value_of(const struct option_row *o)
{
    if (o->type == OPT_BOOL)
        return VALUE_NONE;
    if (o->type == OPT_FORMAT || o->type == OPT_FAIL_ON || strcmp(o->arg, "SHELL") == 0)
        return VALUE_WORDS;
    return strcmp(o->arg, "FILE") == 0 ? VALUE_FILE : VALUE_OTHER;
}

static void put_words(struct ww_buf *out, const struct option_row *o)
{
    const char *before = "";

    if (o->type == OPT_FORMAT) {
        for (const struct ww_report_format *f = ww_report_formats; f->name != NULL; f++) {
            ww_buf_printf(out, "%s%s", before, f->name);
            before = " ";
        }
    } else if (o->type == OPT_FAIL_ON) {
        for (int f = WW_FAIL_ON_NONE; f <= WW_FAIL_ON_SPLIT; f++) {
            ww_buf_printf(out, "%s%s", before, ww_fail_on_token((enum ww_fail_on)f));
            before = " ";
        }
    } else {
        ww_buf_add_c(out, "bash zsh fish");
    }
}

static bool is_of(const struct option_row *o, const struct command *c)
{
    return (o->commands & c->bit) != 0;
}

/* Behind its options there is another program's command line. */
static bool runs_a_command(const struct command *c)
{
    return strstr(c->synopsis, "-- ") != NULL;
}

static void put_commands(struct ww_buf *out)
{
    for (size_t i = 0; commands[i] != NULL; i++)
        ww_buf_printf(out, "%s%s", i == 0 ? "" : " ", commands[i]->name);
}

/* Within single quotes, `escaped` with a backslash before them. */
static void put_quoted(struct ww_buf *out, const char *text, const char *escaped)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\'')
            ww_buf_add_c(out, "'\\'");
        else if (strchr(escaped, *p) != NULL)
            ww_buf_add_char(out, '\\');
        ww_buf_add_char(out, *p);
    }
}

/* ---- bash */

/* "--a|--b" of all options whose value is of that kind. */
static bool put_pattern(struct ww_buf *out, enum value value)
{
    const char *before = "    ";

    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        if (value_of(o) != value)
            continue;
        ww_buf_printf(out, "%s--%s", before, o->name);
        if (o->letter != 0)
            ww_buf_printf(out, "|-%c", o->letter);
        before = "|";
    }
    return before[0] == '|';
}

static void bash_values(struct ww_buf *out)
{
    ww_buf_add_c(out, "  case $prev in\n");
    for (const struct option_row *o = options_table; o->name != NULL; o++) {
        if (value_of(o) != VALUE_WORDS)
            continue;
        ww_buf_printf(out, "    --%s) mapfile -t COMPREPLY < <(compgen -W '", o->name);
        put_words(out, o);
        ww_buf_add_c(out, "' -- \"$cur\"); return ;;\n");
    }
    if (put_pattern(out, VALUE_FILE))
        ww_buf_add_c(out,
                     ")\n      compopt -o filenames 2>/dev/null\n"
                     "      mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;\n");
    if (put_pattern(out, VALUE_OTHER))
        ww_buf_add_c(out, ") return ;;\n");
    ww_buf_add_c(out, "  esac\n");
}

static void bash_options(struct ww_buf *out)
{
    ww_buf_add_c(out, "  case $command in\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        ww_buf_printf(out, "    %s) options='", commands[i]->name);
        for (const struct option_row *o = options_table; o->name != NULL; o++)
            if (is_of(o, commands[i]))
                ww_buf_printf(out, "--%s ", o->name);
        ww_buf_add_c(out, "' ;;\n");
    }
    ww_buf_add_c(out, "  esac\n");
}

static void bash(struct ww_buf *out)
{
    ww_buf_add_c(
        out, "# bash completion of whichworker, made by: whichworker help --completions bash\n"
             "# shellcheck shell=bash\n"
             "_whichworker() {\n"
             "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
             "  local command=${COMP_WORDS[1]} options='' i\n"
             "  COMPREPLY=()\n"
             "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
             "    mapfile -t COMPREPLY < <(compgen -W '");
    put_commands(out);
    ww_buf_add_c(
        out, " --help --version' -- \"$cur\"); return\n"
             "  fi\n"
             "  for ((i = 2; i < COMP_CWORD; i++)); do # another program's command line\n"
             "    if [ \"${COMP_WORDS[i]}\" = -- ]; then\n"
             "      compopt -o filenames 2>/dev/null\n"
             "      if [ $((i + 1)) -eq \"$COMP_CWORD\" ]; then\n"
             "        mapfile -t COMPREPLY < <(compgen -c -- \"$cur\")\n"
             "      else\n"
             "        mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
             "      fi\n"
             "      return\n"
             "    fi\n"
             "  done\n"
             "  if [ \"$prev\" = = ]; then prev=${COMP_WORDS[COMP_CWORD-2]} # --name=value\n"
             "  elif [ \"$cur\" = = ]; then cur=''; fi\n");
    bash_values(out);
    bash_options(out);
    ww_buf_add_c(out, "  if [ \"${cur:0:1}\" = - ]; then\n"
                      "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$cur\")\n"
                      "  elif [ \"$command\" = help ]; then\n"
                      "    mapfile -t COMPREPLY < <(compgen -W 'config ");
    put_commands(out);
    ww_buf_add_c(out, "' -- \"$cur\")\n"
                      "  else\n"
                      "    compopt -o filenames 2>/dev/null\n"
                      "    mapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
                      "  fi\n"
                      "}\n"
                      "complete -F _whichworker whichworker\n");
}

/* ---- zsh */

static void zsh_option(struct ww_buf *out, const struct option_row *o)
{
    ww_buf_add_c(out, "        ");
    if (o->letter != 0)
        ww_buf_printf(out, "'(-%c --%s)'{-%c,--%s%s}'", o->letter, o->name, o->letter, o->name,
                      o->arg == NULL ? "" : "=");
    else
        ww_buf_printf(out, "%s--%s%s", option_is_list(o) ? "'*" : "'", o->name,
                      o->arg == NULL ? "" : "=");
    ww_buf_add_char(out, '[');
    put_quoted(out, o->help, "[]\\");
    ww_buf_add_char(out, ']');
    if (o->arg != NULL)
        ww_buf_printf(out, ":%s:", o->arg);
    if (value_of(o) == VALUE_FILE)
        ww_buf_add_c(out, "_files");
    if (value_of(o) == VALUE_WORDS) {
        ww_buf_add_char(out, '(');
        put_words(out, o);
        ww_buf_add_char(out, ')');
    }
    ww_buf_add_c(out, "' \\\n");
}

static void zsh_command(struct ww_buf *out, const struct command *c)
{
    ww_buf_printf(out, "    %s)\n      _arguments \\\n", c->name);
    for (const struct option_row *o = options_table; o->name != NULL; o++)
        if (is_of(o, c))
            zsh_option(out, o);
    if (runs_a_command(c)) {
        ww_buf_add_c(out, "        '*:::command:_normal'\n");
    } else if (c == &command_help) {
        ww_buf_add_c(out, "        '1:command:(config ");
        put_commands(out);
        ww_buf_add_c(out, ")'\n");
    } else {
        ww_buf_add_c(out, "        '*:file:_files'\n");
    }
    ww_buf_add_c(out, "      ;;\n");
}

static void zsh(struct ww_buf *out)
{
    ww_buf_add_c(out, "#compdef whichworker\n"
                      "# Made by: whichworker help --completions zsh\n"
                      "_whichworker() {\n"
                      "  local -a names=(\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        ww_buf_printf(out, "    '%s:", commands[i]->name);
        put_quoted(out, commands[i]->help, ":\\");
        ww_buf_add_c(out, "'\n");
    }
    ww_buf_add_c(out, "  )\n"
                      "  if (( CURRENT == 2 )); then\n"
                      "    _describe command names\n"
                      "    return\n"
                      "  fi\n"
                      "  shift words\n"
                      "  (( CURRENT-- ))\n"
                      "  case $words[1] in\n");
    for (size_t i = 0; commands[i] != NULL; i++)
        zsh_command(out, commands[i]);
    ww_buf_add_c(out, "  esac\n"
                      "}\n"
                      "if [ \"$funcstack[1]\" = _whichworker ]; then\n"
                      "  _whichworker \"$@\"\n"
                      "else\n"
                      "  compdef _whichworker whichworker\n"
                      "fi\n");
}

/* ---- fish */

static void fish_option(struct ww_buf *out, const struct option_row *o, const struct command *c)
{
    ww_buf_printf(out, "complete -c whichworker -n '__fish_seen_subcommand_from %s' -l %s",
                  c->name, o->name);
    if (o->letter != 0)
        ww_buf_printf(out, " -s %c", o->letter);
    if (value_of(o) == VALUE_FILE)
        ww_buf_add_c(out, " -r -F");
    if (value_of(o) == VALUE_OTHER)
        ww_buf_add_c(out, " -x");
    if (value_of(o) == VALUE_WORDS) {
        ww_buf_add_c(out, " -x -a '");
        put_words(out, o);
        ww_buf_add_char(out, '\'');
    }
    ww_buf_add_c(out, " -d '");
    put_quoted(out, o->help, "\\");
    ww_buf_add_c(out, "'\n");
}

static void fish(struct ww_buf *out)
{
    ww_buf_add_c(
        out, "# fish completion of whichworker, made by: whichworker help --completions fish\n"
             "complete -c whichworker -f\n");
    for (size_t i = 0; commands[i] != NULL; i++) {
        ww_buf_printf(out, "complete -c whichworker -n __fish_use_subcommand -a %s -d '",
                      commands[i]->name);
        put_quoted(out, commands[i]->help, "\\");
        ww_buf_add_c(out, "'\n");
    }
    for (size_t i = 0; commands[i] != NULL; i++) {
        for (const struct option_row *o = options_table; o->name != NULL; o++)
            if (is_of(o, commands[i]))
                fish_option(out, o, commands[i]);
        ww_buf_printf(out, "complete -c whichworker -n '__fish_seen_subcommand_from %s' ",
                      commands[i]->name);
        if (commands[i] == &command_help) {
            ww_buf_add_c(out, "-a 'config ");
            put_commands(out);
            ww_buf_add_c(out, "'\n");
        } else {
            ww_buf_add_c(out, runs_a_command(commands[i])
                                  ? "-a '(__fish_complete_subcommand --fcs-skip=2)'\n"
                                  : "-F\n");
        }
    }
}

int help_completions(ww_str shell, struct ww_buf *out, struct ww_err *err)
{
    if (ww_str_eq(shell, WW_STR("bash")))
        bash(out);
    else if (ww_str_eq(shell, WW_STR("zsh")))
        zsh(out);
    else if (ww_str_eq(shell, WW_STR("fish")))
        fish(out);
    else
        return ww_err_set(err, WW_EUSAGE,
                          "--completions: '" WW_STRF "' is not bash, zsh or fish",
                          WW_STRV(shell));
    return WW_OK;
}
