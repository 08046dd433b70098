"""Nodes that come by themselves: a kubelet makes its own Node object, with a certificate or the bootstrap token."""
import json

from .. import web
from .csrs import BOOTSTRAPPER, NODE


def user_of(api, request):
    """Returns who asks: by certificate, or by the token that machine configs carry; empty where nobody knows."""
    token = api.node.payload.get("bootstrapToken")
    if token and request.headers.get("authorization") == f"Bearer {token}":
        return BOOTSTRAPPER
    return request.user


def handle(api, request, user):
    """Answers a node that registers; None where it is something else."""
    if request.method != "POST" or request.path.rstrip("/") != "/api/v1/nodes":
        return None
    body = json.loads(request.body)
    me = body["standin"]
    # A worker proves with an approved certificate that it may have the name.
    proven = user == (BOOTSTRAPPER if me["role"] == "master" else NODE + body["metadata"]["name"])
    if not proven or me["name"] != body["metadata"]["name"]:
        return web.Response(403, {"message": f"{user or 'nobody'} cannot be node {body['metadata']['name']}"})
    api.peers.learn([me])
    return web.Response(201, {"kind": "Node", "apiVersion": "v1", "metadata": body["metadata"],
                              "standin": api.peers.listed()})
