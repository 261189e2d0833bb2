package faults

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/external-workload/controller/test/internal/controlplane"
)

// ChartMemoryLimit returns the chart's memory limit of the container in bytes.
func ChartMemoryLimit() (int64, error) {
	root, err := controlplane.RepositoryRoot()
	if err != nil {
		return 0, err
	}
	content, err := os.ReadFile(filepath.Join(root, "charts", "external-workload-controller", "values.yaml"))
	if err != nil {
		return 0, fmt.Errorf("reading the chart's values: %w", err)
	}
	var values struct {
		Resources corev1.ResourceRequirements `json:"resources"`
	}
	if err := yaml.Unmarshal(content, &values); err != nil {
		return 0, fmt.Errorf("decoding the chart's values: %w", err)
	}
	limit := values.Resources.Limits.Memory().Value()
	if limit == 0 {
		return 0, errors.New("the chart has no memory limit")
	}
	return limit, nil
}
