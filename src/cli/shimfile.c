/* Looks for the shim beside the program: in a build tree, and where both are installed. */
#include "shimfile.h"

#include <whichworker/loop.h>

#include <stdio.h>
#include <unistd.h>

#define PATH_ROOM 4096
#define SHIM_FILE "libwhichworker-shim.so"

/* From the program's directory. */
static const char *const shim_places[] = { "../shim", WW_SHIM_INSTALLED, "." };

int shimfile_find(char out[SHIMFILE_ROOM], struct ww_err *err)
{
    char program[PATH_ROOM];

    if (!ww_program_path(program, sizeof(program)))
        return ww_err_set(err, WW_ESYSTEM,
                          "cannot find out where this program is; --no-preload "
                          "does without " SHIM_FILE);

    char *slash = strrchr(program, '/');

    if (slash != NULL)
        *slash = '\0';
    for (size_t i = 0; i < sizeof(shim_places) / sizeof(shim_places[0]); i++) {
        int n = snprintf(out, SHIMFILE_ROOM, "%s/%s/" SHIM_FILE, program, shim_places[i]);

        if (n < 0 || n >= SHIMFILE_ROOM || access(out, R_OK) != 0)
            continue;
        /* The dynamic loader splits LD_PRELOAD there, and knows no quotes. */
        if (strpbrk(out, " :") != NULL)
            return ww_err_set(
                err, WW_ESYSTEM,
                "%s cannot be preloaded: its path has a blank or a colon; install it "
                "elsewhere, or do without (--no-preload)",
                out);
        return WW_OK;
    }
    return ww_err_set(err, WW_ESYSTEM,
                      "there is no " SHIM_FILE
                      " in %s/%s or %s/%s: install whichworker whole, or "
                      "do without (--no-preload)",
                      program, shim_places[0], program, shim_places[1]);
}
