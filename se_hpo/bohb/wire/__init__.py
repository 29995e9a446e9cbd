"""Between master and workers: hpbandster's nameserver, dispatcher and workers."""
