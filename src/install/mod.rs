//! OpenShift's own installer on the first host, and the waits for its milestones.
