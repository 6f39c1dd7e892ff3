/* attrib: what stands behind an upstream, and what of it may be read here; looked at once. */
#ifndef WHICHWORKER_EXAMINE_H
#define WHICHWORKER_EXAMINE_H

#include <whichworker/addr.h>
#include <whichworker/err.h>
#include <whichworker/worker.h>

#define WW_EXAM_LISTENERS 32  /* more are counted, not described */
#define WW_EXAM_PROCESSES 256 /* the same */
#define WW_EXAM_PATH      4096

/* A listening socket that a connect to the upstream may reach. */
struct ww_exam_listener {
    struct ww_addr at;
    uint64_t inode;
    bool uid_known;
    uint32_t uid;     /* of whoever made the socket */
    uint32_t queued;  /* connections that nobody has accepted yet */
    uint32_t backlog; /* how many may wait so */
    size_t holders;   /* processes that were seen to hold it */
};

/* What a process is to the upstream's connections. */
enum ww_exam_role {
    WW_EXAM_SINGLE,    /* accepts, and is alone */
    WW_EXAM_WORKER,    /* accepts beside others, or is given connections */
    WW_EXAM_MASTER,    /* holds the socket for its workers */
    WW_EXAM_PRIMARY,   /* accepts, and hands over to its workers */
    WW_EXAM_ROUTER,    /* accepts, and passes bytes on: the workers are behind it */
    WW_EXAM_ACTIVATOR, /* holds the socket until its service is started */
    WW_EXAM_BEHIND,    /* a sibling of a router: it answers on another socket */
    WW_EXAM_HELPER,    /* a child that has nothing to do with connections, as far as is seen */
    WW_EXAM_ROLES
};

/* "single", "worker" … */
const char *ww_exam_role_token(enum ww_exam_role role);

struct ww_exam_process {
    struct ww_worker worker;
    int32_t ppid;
    unsigned depth; /* below the first of its family */
    bool uid_known;
    uint32_t uid;
    enum ww_exam_role role;
    bool listens;  /* was seen with the listening socket */
    bool inferred; /* was not: it stands beside one that was, or the kernel named its parent */
    int fd_error;  /* errno of reading its descriptors; 0: they were read */
    bool closed;   /* not even its own user may read them: it changed users without an exec */
};

/* Strangers whose descriptors may not be read: the holder of a listener may be among them. */
struct ww_exam_hidden {
    size_t processes;
    size_t own; /* of them: run by our own user */
};

struct ww_exam {
    struct ww_addr upstream;
    int diag_error; /* errno of asking the kernel about sockets; 0: it answers */
    struct ww_exam_listener listener[WW_EXAM_LISTENERS];
    size_t listeners;
    size_t listeners_left_out;
    struct ww_exam_process process[WW_EXAM_PROCESSES];
    size_t processes; /* parents before their children */
    size_t processes_left_out;
    struct ww_exam_hidden hidden;
    bool veiled; /* other users' processes do not even appear in /proc (hidepid) */
    /* Ourselves. */
    uint32_t uid;
    bool cap_ptrace; /* CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH: only both together help */
    bool cap_search;
    bool cap_possible;          /* both are in the bounding set: setcap can give them */
    char program[WW_EXAM_PATH]; /* our own file; empty: not known */
};

struct ww_examine_config {
    struct ww_addr upstream;
    const char *proc_root; /* "/proc", or a directory made to look like it */
    int32_t named_pid;     /* whom SO_PEERCRED of a connection to it names; 0: nobody */
};

/* Does this process take connections off the queue, or get them? */
bool ww_exam_serves(const struct ww_exam_process *p);

/* Reads /proc and asks the kernel; changes nothing, connects to nothing. NULL if there is no
 * proc_root; anything else that is in the way is part of the result. Free it with free(). */
struct ww_exam *ww_examine(const struct ww_examine_config *cfg, struct ww_err *err);

#endif
