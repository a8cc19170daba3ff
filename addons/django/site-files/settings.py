"""Settings of this site. What addons and the environment say is loaded first; put your own below.

The names between the tags are written by the control panel. Without the tags it leaves them alone.
"""

from addons.django.django_loader import load

INSTALLED_ADDONS = [
    # <INSTALLED_ADDONS>  # Text inside the tags is replaced.
    # </INSTALLED_ADDONS>
]

load(globals())

INSTALLED_APPS.extend(
    [
        # your own applications
    ]
)
