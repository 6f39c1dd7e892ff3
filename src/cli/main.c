/* Finds the command, parses its options, runs it, and turns errors into words and a status. */
#include "command.h"
#include "suggest.h"

#include <signal.h>
#include <unistd.h>

const struct command *const commands[] = { &command_proxy,  &command_run,  &command_report,
                                           &command_doctor, &command_help, NULL };

const struct command *command_find(ww_str name)
{
    for (size_t i = 0; commands[i] != NULL; i++)
        if (ww_str_eq(name, ww_str_c(commands[i]->name)))
            return commands[i];
    return NULL;
}

static int status_of(int code)
{
    switch ((enum ww_code)code) {
    case WW_OK:
        return EXIT_PASS;
    case WW_EUSAGE:
    case WW_EINPUT:
    case WW_ENOTFOUND:
        return EXIT_USAGE;
    case WW_ESYSTEM:
    case WW_ELIMIT:
        return EXIT_CANNOT;
    }
    return EXIT_CANNOT;
}

static int complain(const struct command *cmd, const struct ww_err *err)
{
    struct ww_buf out;

    ww_buf_init(&out, 4096);
    ww_buf_add_c(&out, "whichworker: ");
    ww_buf_add_printable(&out, ww_str_c(err->text));
    ww_buf_add_char(&out, '\n');
    if (err->code == WW_EUSAGE)
        ww_buf_printf(&out, "Try 'whichworker %s%s--help'.\n", cmd == NULL ? "" : cmd->name,
                      cmd == NULL ? "" : " ");
    write_all(STDERR_FILENO, ww_buf_str(&out));
    ww_buf_release(&out);
    return status_of(err->code);
}

static int print_help(const struct command *cmd)
{
    struct ww_buf out;

    ww_buf_init(&out, 1 << 20);
    command_help_text(cmd, &out);

    bool written = write_all(STDOUT_FILENO, ww_buf_str(&out));

    ww_buf_release(&out);
    return written ? EXIT_PASS : EXIT_CANNOT;
}

static int print_version(void)
{
    return write_all(STDOUT_FILENO, WW_STR("whichworker " WW_VERSION "\n")) ? EXIT_PASS
                                                                            : EXIT_CANNOT;
}

static int run(const struct command *cmd, int argc, char **argv)
{
    struct ww_err err = { 0 };
    struct config config;

    if (options_parse(cmd->bit, argc, argv, &config, &err) < 0)
        return complain(cmd, &err);
    if (config.version)
        return print_version();
    if (config.help)
        return print_help(cmd);

    int status = cmd->run(&config, &err);

    return status < 0 ? complain(cmd, &err) : status;
}

static const char *next_command(const void *ctx, size_t i)
{
    (void)ctx;
    return commands[i] == NULL ? NULL : commands[i]->name;
}

static int no_command(ww_str word)
{
    struct ww_err err = { 0 };
    const char *meant = closest(word, next_command, NULL);

    if (meant != NULL)
        ww_err_set(&err, WW_EUSAGE, "there is no command '" WW_STRF "'; did you mean '%s'?",
                   WW_STRV(word), meant);
    else
        ww_err_set(&err, WW_EUSAGE, "there is no command '" WW_STRF "'", WW_STRV(word));
    return complain(NULL, &err);
}

int main(int argc, char **argv)
{
    ww_str word = ww_str_c(argc > 1 ? argv[1] : "--help");

    signal(SIGPIPE, SIG_IGN); /* a peer that is gone is an error of write, not our death */
    if (ww_str_eq(word, WW_STR("--version")))
        return print_version();
    if (ww_str_eq(word, WW_STR("--help")) || ww_str_eq(word, WW_STR("-h")))
        return argc > 1 ? print_help(NULL) : (print_help(NULL), EXIT_USAGE);

    const struct command *cmd = command_find(word);

    return cmd == NULL ? no_command(word) : run(cmd, argc - 2, argv + 2);
}
