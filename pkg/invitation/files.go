package invitation

import (
	"fmt"
	"strings"

	"sigs.k8s.io/yaml"
)

// Paths on the machine.
const (
	program        = "/usr/local/bin/external-workload"
	kubeconfigPath = "/etc/external-workload/kubeconfig"
	unitName       = "external-workload.service"
	unitPath       = "/etc/systemd/system/" + unitName
)

// MachineFiles are what a machine needs beside the program.
type MachineFiles struct {
	Namespace, Workload string
	Kubeconfig          []byte
}

// Unit is the systemd unit. Stopping it drains the machine, and does not delete
// its ExternalWorkload: that would end the invitation, and the machine could not
// register again after a reboot.
//
// It is ordered after multi-user.target, which is ordered after the machine's
// servers. When the machine shuts down, systemd stops units in the reverse order, so
// the servers answer until the drain has ended.
//
// It sets no lifetime of tokens: register reads it from the kubeconfig, which a later
// invitation replaces.
func (f *MachineFiles) Unit() string {
	return fmt.Sprintf(`[Unit]
Description=Registration of this machine as ExternalWorkload %s/%s
Wants=network-online.target
After=network-online.target multi-user.target

[Service]
ExecStart=%[3]s register --watch --kubeconfig %[4]s
ExecStop=%[3]s drain --kubeconfig %[4]s
TimeoutStopSec=3min
Restart=on-failure
RestartSec=30

[Install]
WantedBy=multi-user.target
`, f.Namespace, f.Workload, program, kubeconfigPath)
}

// cloudFile is a file of cloud-init.
type cloudFile struct {
	Path        string `json:"path"`
	Owner       string `json:"owner"`
	Permissions string `json:"permissions"`
	Content     string `json:"content"`
}

// CloudInit is the user data for cloud-init, which writes the kubeconfig with mode
// 0600 and the unit, and starts it. The program is not in it. Where multi-user.target
// waits for cloud-init, a command that waits for the unit would wait for ever.
func (f *MachineFiles) CloudInit() ([]byte, error) {
	data, err := yaml.Marshal(struct {
		Files    []cloudFile `json:"write_files"`
		Commands [][]string  `json:"runcmd"`
	}{
		Files: []cloudFile{
			{Path: kubeconfigPath, Owner: "root:root", Permissions: "0600", Content: string(f.Kubeconfig)},
			{Path: unitPath, Owner: "root:root", Permissions: "0644", Content: f.Unit()},
		},
		Commands: [][]string{{"systemctl", "daemon-reload"}, {"systemctl", "enable", "--now", "--no-block", unitName}},
	})
	if err != nil {
		return nil, fmt.Errorf("write cloud-init: %w", err)
	}
	header := "#cloud-config\n# The image needs " + program + ".\n"
	return []byte(header + strings.TrimSpace(string(data)) + "\n"), nil
}
