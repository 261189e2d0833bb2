package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/external-workload/controller/test/internal/controlplane"
)

const (
	podRange      = "10.244.0.0/24"
	clusterDNS    = "10.96.0.10"
	kubeletHealth = "127.0.0.1:10248"
	proxyHealth   = "127.0.0.1:10256"
)

// containerdConfig runs Pods with crun, with the networks in %[1]s. It does not lower the
// OOM score of processes, which may be forbidden in a container.
const containerdConfig = `version = 2
root = "%[1]s/containerd"
state = "/run/e2e-containerd"
[grpc]
  address = "/run/e2e-containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "%[2]s"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "%[1]s/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "/usr/bin/crun"
`

const cniConfig = `{
  "cniVersion": "1.0.0",
  "name": "pods",
  "plugins": [{
    "type": "ptp",
    "ipam": {
      "type": "host-local",
      "dataDir": "/run/e2e-addresses",
      "ranges": [[{"subnet": "` + podRange + `"}]],
      "routes": [{"dst": "0.0.0.0/0"}]
    }
  }]
}
`

// kubeletConfig has few requirements: the disk may be nearly full, the cgroups may be
// version 1, and swap may be on.
const kubeletConfig = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: 127.0.0.1
readOnlyPort: 0
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
containerRuntimeEndpoint: unix:///run/e2e-containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: %[1]s
failCgroupV1: false
failSwapOn: false
enforceNodeAllocatable: []
evictionHard: {memory.available: 50Mi, nodefs.available: 1%%, imagefs.available: 1%%}
imageGCHighThresholdPercent: 100
podLogsDir: %[2]s/logs/pods
staticPodPath: ""
clusterDNS: [` + clusterDNS + `]
clusterDomain: cluster.local
resolvConf: ""
`

// startNode starts containerd with the two images, kubelet and kube-proxy, and returns when
// the node is ready.
func startNode(ctx context.Context, c *cluster) error {
	if err := c.startContainerd(ctx); err != nil {
		return err
	}
	if err := c.importImages(ctx); err != nil {
		return err
	}
	config := filepath.Join(c.work, "kubelet.yaml")
	if err := os.WriteFile(config, fmt.Appendf(nil, kubeletConfig, c.cgroup, c.work), 0o600); err != nil {
		return err
	}
	if _, err := c.start(ctx, "kubelet", controlplane.Healthy("http://"+kubeletHealth+"/healthz"), []string{
		c.bin("kubelet"),
		"--config=" + config,
		"--kubeconfig=" + c.plane.Kubeconfig(),
		"--root-dir=/var/lib/kubelet",
		"--cert-dir=" + filepath.Join(c.work, "kubelet"),
		"--hostname-override=" + nodeName,
		"--node-ip=" + c.nodeIP + "," + c.nodeIPv6,
		"--node-labels=" + corev1.LabelTopologyZone + "=" + nodeZone,
	}); err != nil {
		return err
	}
	// kube-proxy waits for the node's address, and must tolerate read-only sysctls.
	if _, err := c.start(ctx, "kube-proxy", controlplane.Healthy("http://"+proxyHealth+"/healthz"), []string{
		c.bin("kube-proxy"),
		"--kubeconfig=" + c.plane.Kubeconfig(),
		"--hostname-override=" + nodeName,
		"--proxy-mode=nftables",
		"--healthz-bind-address=" + proxyHealth,
		"--metrics-bind-address=127.0.0.1:10249",
		"--conntrack-max-per-core=0",
		"--conntrack-tcp-timeout-established=0",
		"--conntrack-tcp-timeout-close-wait=0",
	}); err != nil {
		return err
	}
	return until(ctx, c.nodeReady)
}

func (c *cluster) startContainerd(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(c.work, "cni"), 0o700); err != nil {
		return err
	}
	config := filepath.Join(c.work, "containerd.toml")
	err := errors.Join(
		os.WriteFile(config, fmt.Appendf(nil, containerdConfig, c.work, peerImage), 0o600),
		os.WriteFile(filepath.Join(c.work, "cni", "pods.conflist"), []byte(cniConfig), 0o600))
	if err != nil {
		return err
	}
	ready := func(ctx context.Context) error {
		_, err := c.ctr(ctx, "version")
		return err
	}
	_, err = c.start(ctx, "containerd", ready, []string{"containerd", "--config", config})
	return err
}

// importImages loads the images of the controller and of the peer into containerd.
func (c *cluster) importImages(ctx context.Context) error {
	peer := filepath.Join(c.work, "peer.tar")
	if err := writePeerImage(c.bin("peer"), peer); err != nil {
		return err
	}
	built, err := filepath.Glob(filepath.Join(c.work, "image", "image-linux-*.tar"))
	if err != nil {
		return err
	}
	for _, path := range append(built, peer) {
		if _, err := c.ctr(ctx, "images", "import", path); err != nil {
			return err
		}
	}
	return nil
}

func (c *cluster) ctr(ctx context.Context, arguments ...string) (string, error) {
	return c.command(ctx, "ctr", append([]string{"--address=/run/e2e-containerd.sock", "--namespace=k8s.io"}, arguments...)...)
}

func (c *cluster) nodeReady(ctx context.Context) error {
	node, err := c.core.CoreV1().Nodes().Get(ctx, nodeName, metav1.GetOptions{})
	if err != nil {
		return err
	}
	for _, condition := range node.Status.Conditions {
		if condition.Type == corev1.NodeReady && condition.Status == corev1.ConditionTrue {
			return nil
		}
	}
	return fmt.Errorf("the node %s is not ready: %+v", nodeName, node.Status.Conditions)
}
