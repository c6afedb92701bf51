"""A process that takes part in an election with the official Python client, as its documentation shows it.

    python candidate.py KUBECONFIG lease|configmap NAME IDENTITY

It prints "started" when it leads and "stopped" when it leads no more.
"""

import sys

from kubernetes import config
from kubernetes.leaderelection import electionconfig, leaderelection
from kubernetes.leaderelection.resourcelock.configmaplock import ConfigMapLock
from kubernetes.leaderelection.resourcelock.leaselock import LeaseLock


def say(text):
    print(text, flush=True)


def main(kubeconfig, kind, name, identity):
    config.load_kube_config(kubeconfig)
    lock = {"lease": LeaseLock, "configmap": ConfigMapLock}[kind](name, "default", identity)
    say("ready")
    while True:
        leaderelection.LeaderElection(
            electionconfig.Config(lock, 4, 3, 1, lambda: say("started"), lambda: say("stopped"))
        ).run()


main(*sys.argv[1:])
