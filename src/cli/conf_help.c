/* The configuration file explained: docs/config.md, and `whichworker help config`. */
#include "conf_lists.h"

#include <whichworker/buf.h>

static void put_list(struct ww_buf *out, const struct conf_list *list)
{
    ww_buf_printf(out, "\n## `%s`\n%s\n\n```yaml\n%s```\n\n| key | meaning |\n|---|---|\n",
                  list->name, list->help, list->example);
    for (size_t i = 0; i < CONF_KEYS_MAX && list->key[i].name != NULL; i++)
        ww_buf_printf(out, "| `%s` | %s |\n", list->key[i].name, list->key[i].help);
}

void conf_markdown(struct ww_buf *out)
{
    ww_buf_add_c(
        out,
        "# The configuration file\n\n<!-- Made by `whichworker help config`. -->\n\n"
        "`--config FILE` reads settings and rules from a YAML file; without it\n"
        "`./" CONF_NAME "` is read if it is there, and the program says so on standard error.\n"
        "`--no-config` reads none. `--print-config` prints all that holds and where "
        "each value\n"
        "comes from, and is a configuration file itself.\n\n"
        "Every option of every command is a key, by its long name "
        "([options.md](options.md)); one\n"
        "file serves all commands. The command line comes before the environment, the "
        "environment\n"
        "before the file, the file before the defaults; only options that may be "
        "given several\n"
        "times (a list here) add up. What is unknown or not allowed is refused, with "
        "its line.\n\n"
        "```yaml\nfail-on: confirmed\nmin-attributed: 0.99\n```\n\n"
        "The lists below are for the judge. Reports list every rule, with its line "
        "and how often it\n"
        "had something to say.\n\n"
        "A route is a path, perhaps with a method before it: `GET /cars/{id}`. `*` "
        "and `{name}` stand\n"
        "for one segment, `**` for anything. The query is no part of it.\n\n"
        "A file of more than 1 MiB, with aliases (`*name`), tags (`!name`) or a "
        "second document is\n"
        "refused.\n\n"
        "The file can name files to write and, for `gate`, a command to start: it is trusted "
        "as the tests\n"
        "beside it are. Unasked, `./" CONF_NAME
        "` is left alone where it belongs to somebody who is\n"
        "neither you nor root, unless that one owns the directory and nobody else can write "
        "there.\n");
    for (size_t i = 0; i < CONF_LISTS; i++)
        put_list(out, &conf_lists[i]);
}
