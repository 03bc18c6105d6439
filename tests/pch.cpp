// SPDX-License-Identifier: Apache-2.0
// Nothing: the source that carries the precompiled header which all test programs share.
