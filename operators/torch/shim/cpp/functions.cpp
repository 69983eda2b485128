// One unit of all that sees libtorch: its headers take most of the time of compiling each of these.
#include "activations.cpp"
#include "linear.cpp"
#include "loss.cpp"
#include "optimizer.cpp"
