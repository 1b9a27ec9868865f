/* A library of sites that are hard to patch. */
#include "tests/helpers/hazards_sites.h"
