/* A tiny server for test_shim: accepts on descriptor 3, says what it got, closes. */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int open_descriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    int n = 0;

    if (dir == NULL)
        return -1;
    while (readdir(dir) != NULL)
        n++;
    closedir(dir);
    return n;
}

static int take(const char *mode, socklen_t *len)
{
    struct sockaddr_storage peer;

    *len = strcmp(mode, "short") == 0 ? 4 : sizeof(peer);
    if (strcmp(mode, "null") == 0)
        return accept(3, NULL, NULL);
    if (strcmp(mode, "accept4") == 0)
        return accept4(3, (struct sockaddr *)&peer, len, SOCK_CLOEXEC);
    return accept(3, (struct sockaddr *)&peer, len);
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "accept";

    pid_t first = getpid();

    if (strcmp(mode, "prefork") == 0) {
        for (int i = 0; i < 3 && getpid() == first; i++)
            if (fork() == 0)
                prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (getpid() == first)
            pause(); /* a master: its workers accept */
        if (getppid() != first)
            return EXIT_FAILURE;
    }
    for (;;) {
        char line[128];
        socklen_t len = 0;

        errno = 77; /* a success leaves it alone */

        int conn = take(mode, &len);
        int error = errno;
        int n = snprintf(line, sizeof(line), "pid=%d conn=%d errno=%d len=%u fds=%d\n",
                         (int)getpid(), conn, error, (unsigned)len, open_descriptors());

        if (write(STDOUT_FILENO, line, (size_t)n) != n || conn < 0)
            return EXIT_FAILURE;
        close(conn);
    }
}
