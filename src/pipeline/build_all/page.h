#pragma once
// report.html of a build: its report.json as one page that needs nothing else, for screens of any
// width, light and dark.

#include <string>

#include "base/json.h"

namespace dunnock {

// `report` as BuildReportJson makes it. Text in it is escaped, what is missing is left out. The
// page is XHTML as well, so that any reader of XML can check it.
std::string BuildPage(const Json& report);

}  // namespace dunnock
