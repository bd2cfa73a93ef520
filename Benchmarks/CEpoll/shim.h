// Swift's Glibc module leaves this header out.
#pragma once

#include <sys/epoll.h>
