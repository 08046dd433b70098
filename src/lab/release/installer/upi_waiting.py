"""`wait-for`: asks the API, as the real one does; there is no rendezvous host in the UPI workflow."""
import os
import time

import faults
import log
import waiting

API_MINUTES, BOOTSTRAP_MINUTES, INSTALL_MINUTES = 20, 45, 40
BOOTSTRAP_FAILED, INSTALL_FAILED = 5, 6
EVERY = 2.0


def until(minutes, attempt):
    """Tries until the attempt answers or the time is over."""
    end = time.monotonic() + float(faults.asked().get("waitSeconds", minutes * 60))
    while not (answer := attempt()):
        if time.monotonic() > end:
            return None
        time.sleep(EVERY)
    return answer


def clock(minutes):
    return f"{minutes}m0s (until {time.strftime('%I:%M%p UTC', time.gmtime(time.time() + minutes * 60)).lstrip('0')})"


def bootstrap_complete(folder):
    """Waits until the control plane runs without the bootstrap machine."""
    begin = time.monotonic()
    cluster = waiting.Api(folder)
    where = f"https://{cluster.server.hostname}:{cluster.server.port}"
    log.info(f"Waiting up to {clock(API_MINUTES)} for the Kubernetes API at {where}...")
    version = until(API_MINUTES, lambda: cluster.kube("/version"))
    if not version:
        log.error(f"Attempted to gather ClusterOperator status after wait failure: listing ClusterOperator objects: Get {where}: timeout")
        log.error("Bootstrap failed to complete: Get \"" + where + "/version\": context deadline exceeded")
        return BOOTSTRAP_FAILED
    log.info(f"API {version['gitVersion']} up")
    log.info(f"Waiting up to {clock(BOOTSTRAP_MINUTES)} for bootstrapping to complete...")
    path = "/api/v1/namespaces/kube-system/configmaps/bootstrap"
    if not until(BOOTSTRAP_MINUTES, lambda: ((cluster.kube(path) or {}).get("data") or {}).get("status") == "complete"):
        log.error("Bootstrap failed to complete: timed out waiting for the condition")
        log.error("Failed to wait for bootstrapping to complete. This error usually happens when there is a problem "
                  "with control plane hosts that prevents the control plane operators from creating the control plane.")
        return BOOTSTRAP_FAILED
    log.info("It is now safe to remove the bootstrap resources")
    log.info(f"Time elapsed: {int(time.monotonic() - begin)}s")
    return 0


def install_complete(folder):
    """Waits until all of it is there, and says how to get in."""
    cluster = waiting.Api(folder)
    where = f"https://{cluster.server.hostname}:{cluster.server.port}"
    log.info(f"Waiting up to {clock(INSTALL_MINUTES)} for the cluster at {where} to initialize...")
    console = until(INSTALL_MINUTES, cluster.installed)
    if not console:
        log.error("failed to initialize the cluster: timed out waiting for the condition")
        return INSTALL_FAILED
    log.info("Checking to see if there is a route at openshift-console/console...")
    waiting.tell_the_way_in(os.path.abspath(folder), console)
    return 0
