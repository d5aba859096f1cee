/* Makes a disk slow for a process that is started with it in LD_PRELOAD: before each fsync and
 * fdatasync it sleeps for as many milliseconds as the file says that FAULTS_SLOW names, if there is
 * one. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void wait_for_the_disk(void) {
    const char *place = getenv("FAULTS_SLOW");
    FILE *file = place ? fopen(place, "r") : NULL;
    int milliseconds = 0;
    if (file == NULL) return;
    if (fscanf(file, "%d", &milliseconds) == 1 && milliseconds > 0) usleep(1000 * milliseconds);
    fclose(file);
}

int fsync(int file) {
    static int (*real)(int);
    if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait_for_the_disk();
    return real(file);
}

int fdatasync(int file) {
    static int (*real)(int);
    if (real == NULL) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_for_the_disk();
    return real(file);
}
