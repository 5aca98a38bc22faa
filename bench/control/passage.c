/*
 * passage UID PORT PAUSE_US: tells when datagrams of a user begin and cease to get past the local firewall.
 * Lines on stdin: "watch ADDRESS" sends there from now on, "rest" stops. Lines on stdout: "NANOSECONDS 0|1" (CLOCK_MONOTONIC) whenever
 * sendto() goes from one outcome to the other, the first one included; after "rest", "rest PASSED REFUSED".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

int main(int count, char **arguments) {
  if (count != 4) return 2;
  uid_t uid = (uid_t)atoi(arguments[1]);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(arguments[2]))};
  struct timespec pause = {.tv_nsec = atol(arguments[3]) * 1000};
  setvbuf(stdout, NULL, _IOLBF, 0);
  prctl(PR_SET_TIMERSLACK, 1);
  /* the socket's owner is what counts, and it is whoever makes it */
  if (setresgid(uid, uid, uid) != 0 || setresuid(uid, uid, uid) != 0) return 3;
  int sock = socket(AF_INET, SOCK_DGRAM, 0);
  if (sock < 0) return 4;

  int active = 0, before = -1;
  long long passed = 0, refused = 0;
  for (;;) {
    struct pollfd input = {.fd = 0, .events = POLLIN};
    if (poll(&input, 1, active ? 0 : -1) > 0) {
      char line[128] = "";
      size_t length = 0;
      while (length + 1 < sizeof line && read(0, line + length, 1) == 1 && line[length] != '\n') length++;
      if (length == 0) return 0;
      line[length] = 0;
      if (strncmp(line, "watch ", 6) == 0) {
        if (inet_pton(AF_INET, line + 6, &to.sin_addr) != 1) return 5;
        active = 1, before = -1, passed = refused = 0;
      } else {
        active = 0;
        printf("rest %lld %lld\n", passed, refused);
        continue;
      }
    }
    int passes = sendto(sock, "x", 1, 0, (struct sockaddr *)&to, sizeof to) == 1;
    if (!passes && errno != EPERM && errno != EACCES) {
      if (errno == EAGAIN || errno == ENOBUFS || errno == EINTR) continue;
      fprintf(stderr, "sendto: %s\n", strerror(errno));
      return 6;
    }
    if (passes) passed++;
    else refused++;
    if (passes != before) printf("%lld %d\n", now(), passes);
    before = passes;
    nanosleep(&pause, NULL);
  }
}
