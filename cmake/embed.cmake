# SPDX-License-Identifier: Apache-2.0
# cmake -DFILE=... -DTO=... -P embed.cmake: writes the bytes of a file as numbers with commas, for an array in C++.
file(READ ${FILE} bytes HEX)
string(REGEX REPLACE "(..)" "0x\\1," numbers "${bytes}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" numbers "${numbers}")
file(WRITE ${TO} "${numbers}\n")
