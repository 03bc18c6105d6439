# SPDX-License-Identifier: Apache-2.0
"""``threadutils`` by another name."""

from .threadutils import GroupEvent, event_aware_sleep, set_event, wait_for_condition

__all__ = ["GroupEvent", "event_aware_sleep", "set_event", "wait_for_condition"]
