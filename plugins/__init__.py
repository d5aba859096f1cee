"""The plugins that come with chatd, one file each; installed as `chatd_plugins`."""
