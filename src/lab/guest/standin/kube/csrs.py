"""Certificate signing requests: under the agent method the installer's own controller approves them all."""


def pending(_api):
    return []


KINDS = {"/apis/certificates.k8s.io/v1/certificatesigningrequests":
         ("certificates.k8s.io/v1", "CertificateSigningRequest", pending)}
