/* base: calls that this project does not make; force-included, so each is a compile error. */
#ifndef WW_BANNED_H
#define WW_BANNED_H

/* The system's own headers may name them, so they come first. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#pragma GCC poison strcpy strcat strncpy strncat sprintf vsprintf strtok atoi atol gets gmtime
#pragma GCC poison localtime ctime asctime

#endif
