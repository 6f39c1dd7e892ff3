/* cli: all rooms' settings in one struct; no other room sees it. */
#ifndef WW_CONFIG_H
#define WW_CONFIG_H

#include "conf.h"
#include "reports.h"
#include "require.h"

#include <whichworker/judge.h>
#include <whichworker/proxy.h>

#define OPTIONS_MAX 96 /* rows of the options table */

enum origin { FROM_DEFAULT, FROM_FILE, FROM_ENVIRONMENT, FROM_ARGUMENTS };

/* Where an option's value comes from. */
struct option_origin {
    enum origin from;
    unsigned line; /* of FROM_FILE */
};

struct config {
    struct ww_proxy_config proxy;
    struct ww_judge_config judge;
    const struct ww_report_format *format;
    struct reports reports;
    bool no_github;
    ww_str output; /* of the report in `format`; "-": standard output */
    struct requirements requirements;
    ww_str baseline; /* absent: none */
    bool update_baseline;
    ww_str upstream; /* absent: not given */
    ww_str listen;
    ww_str trace;
    bool quiet;
    bool verbose;
    bool keep_secrets;
    bool no_judge;
    uint64_t live_window; /* exchanges that are judged while the proxy runs */
    uint64_t live_memory; /* and how much memory they may take */
    bool no_color;
    bool help;
    bool version;
    bool no_connect;          /* of doctor */
    bool markdown;            /* of help */
    bool man;                 /* of help */
    ww_str completions;       /* of help: for which shell; absent: not asked for */
    char *const *command;     /* of run: the backend's, ended by NULL; NULL: none */
    ww_str backend;           /* of gate: for /bin/sh; absent: none is started */
    ww_str backend_log;       /* absent: it is not kept */
    uint32_t test_timeout_ms; /* 0: none */
    uint32_t ready_timeout_ms;
    bool no_preload;
    ww_str config_file; /* absent: ./whichworker.yaml, if it is there */
    struct ww_sessions_config
        live_sessions; /* of the live lines, which have a thread of their own */
    bool no_config;
    bool print_config;
    struct conf *conf;                        /* the file that was read, or NULL; owned */
    bool conf_wrong;                          /* why options_parse failed */
    bool conf_unasked;                        /* it was found, not named */
    const char *conf_why;                     /* a file that was found and not read: why */
    struct option_origin origin[OPTIONS_MAX]; /* by row */
    ww_str filter;       /* absent: all is shown */
    const char *operand; /* the first argument that is no option; NULL: none */
    const char *more_operand[2]; /* and what follows it */
    size_t more_operands;
};

#endif
